/** The network of demo/engine in float64, from its formulas only: the reference for its weights. */

export interface Hyperparameters {
  maxNorm: number;
  rate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  decay: number;
}

interface Examples {
  inputs: ArrayLike<number>;
  targets: ArrayLike<number>;
}

/** y = x W + b; W has `inputs` rows of `outputs`, and b is its last row. */
interface Layer {
  inputs: number;
  outputs: number;
  weights: Float64Array;
  first: Float64Array;
  second: Float64Array;
}

export class Perceptron {
  readonly #layers: Layer[];
  readonly #given: Hyperparameters;
  #steps = 0;

  constructor(widths: readonly number[], weights: readonly ArrayLike<number>[], given: Hyperparameters) {
    // The numbers that a float32 uniform holds.
    this.#given = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name, Math.fround(value)]),
    ) as unknown as Hyperparameters;
    this.#layers = weights.map((values, i) => ({
      inputs: widths[i] as number,
      outputs: widths[i + 1] as number,
      weights: Float64Array.from(values),
      first: new Float64Array(values.length),
      second: new Float64Array(values.length),
    }));
  }

  get weights(): Float64Array[] {
    return this.#layers.map(({ weights }) => weights);
  }

  logits(inputs: ArrayLike<number>): number[][] {
    const width = this.#layers[0]?.inputs as number;
    const count = inputs.length / width;
    return Array.from({ length: count }, (_, e) => this.#outputs(row(inputs, e, width)).at(-1) as number[]);
  }

  /** One step of AdamW with the clipped gradient; the loss and the norm before it. */
  step({ inputs, targets }: Examples): { loss: number; norm: number } {
    const { loss, gradients } = this.gradients({ inputs, targets });
    const norm = Math.sqrt(sum(gradients.flatMap((gradient) => [...gradient].map((g) => g * g))));
    const scale = norm > this.#given.maxNorm ? this.#given.maxNorm / norm : 1;
    const { rate, beta1, beta2, epsilon, decay } = this.#given;
    this.#steps++;
    this.#layers.forEach(({ weights, first, second }, l) => {
      gradients[l]?.forEach((gradient, i) => {
        const g = gradient * scale;
        first[i] = beta1 * at(first, i) + (1 - beta1) * g;
        second[i] = beta2 * at(second, i) + (1 - beta2) * g * g;
        const corrected = at(first, i) / (1 - beta1 ** this.#steps);
        const root = Math.sqrt(at(second, i) / (1 - beta2 ** this.#steps));
        weights[i] = at(weights, i) * (1 - rate * decay) - (rate * corrected) / (root + epsilon);
      });
    });
    return { loss, norm };
  }

  /** The mean cross-entropy over the examples, and its gradients. */
  gradients({ inputs, targets }: Examples): { loss: number; gradients: Float64Array[] } {
    const gradients = this.#layers.map(({ weights }) => new Float64Array(weights.length));
    const [first, last] = [this.#layers[0], this.#layers.at(-1)] as [Layer, Layer];
    const count = inputs.length / first.inputs;
    let loss = 0;
    for (let e = 0; e < count; e++) {
      const values = this.#outputs(row(inputs, e, first.inputs));
      const target = row(targets, e, last.outputs);
      const logits = values.at(-1) as number[];
      const logSum = Math.log(sum(logits.map(Math.exp)));
      loss += sum(target.map((t, c) => t * (logSum - at(logits, c)))) / count;
      let signal = logits.map((logit, c) => (Math.exp(logit - logSum) - at(target, c)) / count);
      for (let l = this.#layers.length - 1; l >= 0; l--) {
        signal = this.#backward(l, values[l] as number[], signal, gradients[l] as Float64Array);
      }
    }
    return { loss, gradients };
  }

  /** Adds one example's share to a layer's gradient; the signal for the layer below. */
  #backward(l: number, inputs: readonly number[], signal: readonly number[], gradient: Float64Array): number[] {
    const { outputs, weights } = this.#layers[l] as Layer;
    [...inputs, 1].forEach((input, k) => {
      signal.forEach((s, o) => {
        gradient[k * outputs + o] = at(gradient, k * outputs + o) + input * s;
      });
    });
    return inputs.map((input, k) => (input > 0 ? sum(signal.map((s, o) => s * at(weights, k * outputs + o))) : 0));
  }

  /** The input of each layer, and the logits. */
  #outputs(image: number[]): number[][] {
    const values = [image];
    this.#layers.forEach(({ inputs, outputs, weights }, l) => {
      const isLast = l === this.#layers.length - 1;
      const given = values[l] as number[];
      values.push(
        Array.from({ length: outputs }, (_, o) => {
          const bias = at(weights, inputs * outputs + o);
          const value = bias + sum(given.map((x, k) => x * at(weights, k * outputs + o)));
          return isLast ? value : Math.max(value, 0);
        }),
      );
    });
    return values;
  }
}

function row(values: ArrayLike<number>, index: number, width: number): number[] {
  return Array.from({ length: width }, (_, i) => at(values, index * width + i));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}
