// The usual way by hand, 2: one workgroup adds up what the reductions left; scale = min(1, bound / norm).

struct Settings {
  count: u32,
  bound: f32,
}

struct Result {
  norm: f32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: Result;
@group(0) @binding(2) var<uniform> settings: Settings;

var<workgroup> found: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < settings.count; i += 64u) {
    sum += sums[i];
  }
  found[lane] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      found[lane] += found[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    let norm = sqrt(found[0]);
    result = Result(norm, min(1.0, settings.bound / norm));
  }
}
