// Another usual way: one reduction for each tensor, all added into one number by a loop of compare and exchange.

@group(0) @binding(0) var<storage, read> values: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> total: atomic<u32>; // bits of a float32

var<workgroup> found: array<f32, LANES>;

fn add(value: f32) {
  var old = atomicLoad(&total);
  loop {
    let swapped = atomicCompareExchangeWeak(&total, old, bitcast<u32>(bitcast<f32>(old) + value));
    if (swapped.exchanged) {
      return;
    }
    old = swapped.old_value;
  }
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let stride = workgroups.x * LANES;
  let count = arrayLength(&values);
  var sum = vec4f();
  for (var i = id.x; i < count; i += stride) {
    sum += values[i] * values[i];
  }
  found[lane] = (sum.x + sum.y) + (sum.z + sum.w);
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      found[lane] += found[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    add(found[0]);
  }
}
