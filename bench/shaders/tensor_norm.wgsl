// The usual way by hand, 1: one reduction for each tensor; every workgroup leaves the sum of its squares.

struct Place {
  first: u32, // where the tensor's sums begin
}

@group(0) @binding(0) var<storage, read> values: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> place: Place;

var<workgroup> found: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let stride = workgroups.x * LANES;
  let count = arrayLength(&values);
  var sum = vec4f();
  var i = id.x;
  for (; i + 3u * stride < count; i += 4u * stride) {
    let a = values[i];
    let b = values[i + stride];
    let c = values[i + 2u * stride];
    let d = values[i + 3u * stride];
    sum += (a * a + b * b) + (c * c + d * d);
  }
  for (; i < count; i += stride) {
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
    sums[place.first + workgroup.x] = found[0];
  }
}
