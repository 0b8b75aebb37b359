/** The parameters of real models, as counts of elements, in the order in which their frameworks list them. */

const product = (...dimensions: number[]) => dimensions.reduce((a, b) => a * b, 1);

/** PyTorch's nn.GRU with two layers, and a linear layer: a character model of 65 characters. */
export function smallGru(inputs = 65, hidden = 128): number[] {
  const layer = (width: number) => [
    product(3 * hidden, width),
    product(3 * hidden, hidden),
    product(3 * hidden),
    product(3 * hidden),
  ];
  return [...layer(inputs), ...layer(hidden), product(inputs, hidden), inputs];
}

/** MobileNetV2 (Sandler et al., 2018, arXiv:1801.04381, table 2): every convolution is followed by a scale and a shift. */
export function mobileNetV2(): number[] {
  const lengths: number[] = [];
  const convolution = (...shape: [outputs: number, inputs: number, side: number]) => {
    const [outputs, inputs, side] = shape;
    lengths.push(product(outputs, inputs, side, side), outputs, outputs);
  };
  const stages = [
    [1, 16, 1],
    [6, 24, 2],
    [6, 32, 3],
    [6, 64, 4],
    [6, 96, 3],
    [6, 160, 3],
    [6, 320, 1],
  ] as const;
  let inputs = 32;
  convolution(inputs, 3, 3);
  for (const [expansion, outputs, repeats] of stages) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const hidden = expansion * inputs;
      if (expansion > 1) convolution(hidden, inputs, 1);
      convolution(hidden, 1, 3);
      convolution(outputs, hidden, 1);
      inputs = outputs;
    }
  }
  convolution(1280, inputs, 1);
  return [...lengths, product(1000, 1280), 1000];
}

/** GPT-2 (Radford et al., 2019); DistilGPT2 has 6 layers. The token embedding is also the output layer. */
export function gpt2({ layers = 12, width = 768, vocabulary = 50_257, context = 1024 } = {}): number[] {
  const norm = [width, width];
  const linear = (inputs: number, outputs: number) => [product(inputs, outputs), outputs];
  const block = [
    ...norm,
    ...linear(width, 3 * width),
    ...linear(width, width),
    ...norm,
    ...linear(width, 4 * width),
    ...linear(4 * width, width),
  ];
  const blocks = Array.from({ length: layers }, () => block).flat();
  return [product(vocabulary, width), product(context, width), ...blocks, ...norm];
}
