// AdamW (Loshchilov and Hutter, 2019), which clips as it reads: the gradient's bits and gradclip's record go into
// clipped_gradient, and the clipped value never reaches memory. A step that gradclip marks to be skipped changes nothing.
// One invocation a weight.

@group(0) @binding(0) var<uniform> record: ClipRecord;
@group(0) @binding(1) var<uniform> settings: Settings;
@group(0) @binding(2) var<storage, read> gradients: array<u32>; // bits: no compiler may assume away a NaN among them
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> moments: array<vec2f>; // first and second
@group(0) @binding(5) var<storage, read> corrections: vec2f;          // 1 - beta^t of both

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&weights) || (record.flags & SKIP) != 0u) {
    return;
  }
  let g = clipped_gradient(gradients[id.x], record);
  let moment = mix(vec2f(g, g * g), moments[id.x], vec2f(settings.beta1, settings.beta2));
  moments[id.x] = moment;
  let corrected = moment / corrections;
  let update = corrected.x / (sqrt(corrected.y) + settings.epsilon) + settings.decay * weights[id.x];
  weights[id.x] -= settings.rate * update;
}
