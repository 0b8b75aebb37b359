// Softmax and cross-entropy: each example's loss, and the gradient of their mean with respect to the logits,
// (softmax(logits) - targets) / examples. One invocation an example.

override classCount: u32;

@group(0) @binding(0) var<storage, read> logits: array<f32>;          // [example, class]
@group(0) @binding(1) var<storage, read> targets: array<f32>;         // [example, class], one-hot
@group(0) @binding(2) var<storage, read_write> losses: array<f32>;    // [example]
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>; // [example, class]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let exampleCount = arrayLength(&losses);
  if (id.x >= exampleCount) {
    return;
  }
  let first = id.x * classCount;
  var largest = logits[first];
  for (var i = first + 1u; i < first + classCount; i++) {
    largest = max(largest, logits[i]);
  }
  var total = 0.0;
  for (var i = first; i < first + classCount; i++) {
    total += exp(logits[i] - largest);
  }
  var loss = 0.0;
  for (var i = first; i < first + classCount; i++) {
    let shifted = logits[i] - largest;
    loss -= targets[i] * (shifted - log(total));
    gradients[i] = (exp(shifted) / total - targets[i]) / f32(exampleCount);
  }
  losses[id.x] = loss;
}
