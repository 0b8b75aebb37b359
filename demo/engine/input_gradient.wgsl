// One layer, backward to its inputs, through the ReLU that made them:
// inputGradients = outputGradients * weights^T where an input is above 0, else 0. One invocation an input.

override inputCount: u32;
override outputCount: u32;

@group(0) @binding(0) var<storage, read> outputGradients: array<f32>;      // [example, output]
@group(0) @binding(1) var<storage, read> weights: array<f32>;              // [input, output]
@group(0) @binding(2) var<storage, read> inputs: array<f32>;               // [example, input]
@group(0) @binding(3) var<storage, read_write> inputGradients: array<f32>; // [example, input]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&inputGradients)) {
    return;
  }
  let example = id.x / inputCount;
  let input = id.x % inputCount;
  var sum = 0.0;
  for (var output = 0u; output < outputCount; output++) {
    sum += outputGradients[example * outputCount + output] * weights[input * outputCount + output];
  }
  inputGradients[id.x] = select(0.0, sum, inputs[id.x] > 0.0);
}
