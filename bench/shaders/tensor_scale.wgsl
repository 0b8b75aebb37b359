// The usual way by hand, 3: one dispatch for each tensor multiplies it by the scale, whatever that is.

struct Result {
  norm: f32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(1) var<storage, read> result: Result;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let stride = workgroups.x * LANES;
  let count = arrayLength(&values);
  let scale = result.scale;
  var i = id.x;
  for (; i + 3u * stride < count; i += 4u * stride) {
    let a = values[i];
    let b = values[i + stride];
    let c = values[i + 2u * stride];
    let d = values[i + 3u * stride];
    values[i] = a * scale;
    values[i + stride] = b * scale;
    values[i + 2u * stride] = c * scale;
    values[i + 3u * stride] = d * scale;
  }
  for (; i < count; i += stride) {
    values[i] *= scale;
  }
}
