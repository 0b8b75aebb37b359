// Adam's bias corrections, 1 - beta^t, advanced by one step: a moment that has seen t gradients of 1.
// Counted on the GPU, because only the GPU knows whether this step is skipped. pow(beta, t) would do the same but for its
// accuracy near 1. One invocation.

@group(0) @binding(0) var<uniform> record: ClipRecord;
@group(0) @binding(1) var<uniform> settings: Settings;
@group(0) @binding(2) var<storage, read_write> corrections: vec2f; // of both moments

@compute @workgroup_size(1)
fn main() {
  if ((record.flags & SKIP) == 0u) {
    corrections = mix(vec2f(1.0), corrections, vec2f(settings.beta1, settings.beta2));
  }
}
