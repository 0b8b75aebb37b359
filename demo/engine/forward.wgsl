// One layer, forward: outputs = activation(inputs * weights + biases). One invocation an output.

override inputCount: u32;
override outputCount: u32;
override hasRelu: bool; // the last layer has none: its outputs are logits

@group(0) @binding(0) var<storage, read> inputs: array<f32>;        // [example, input]
@group(0) @binding(1) var<storage, read> weights: array<f32>;       // [input, output]; the last row holds the biases
@group(0) @binding(2) var<storage, read_write> outputs: array<f32>; // [example, output]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&outputs)) {
    return;
  }
  let example = id.x / outputCount;
  let output = id.x % outputCount;
  var sum = weights[inputCount * outputCount + output];
  for (var input = 0u; input < inputCount; input++) {
    sum += inputs[example * inputCount + input] * weights[input * outputCount + output];
  }
  outputs[id.x] = select(sum, max(sum, 0.0), hasRelu);
}
