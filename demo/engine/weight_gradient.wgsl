// One layer, backward to its weights: gradients = inputs^T * outputGradients, summed over the examples.
// One invocation a weight.

override inputCount: u32;
override outputCount: u32;

@group(0) @binding(0) var<storage, read> inputs: array<f32>;          // [example, input]
@group(0) @binding(1) var<storage, read> outputGradients: array<f32>; // [example, output]
@group(0) @binding(2) var<storage, read_write> gradients: array<f32>; // as the weights: the last row is the biases'

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&gradients)) {
    return;
  }
  let input = id.x / outputCount;
  let output = id.x % outputCount;
  let exampleCount = arrayLength(&outputGradients) / outputCount;
  var sum = 0.0;
  for (var example = 0u; example < exampleCount; example++) {
    let gradient = outputGradients[example * outputCount + output];
    if (input < inputCount) {
      sum += inputs[example * inputCount + input] * gradient;
    } else {
      sum += gradient;
    }
  }
  gradients[id.x] = sum;
}
