// A limit: the bytes of a scale pass, read and written with 1 added.

//#for slot
@group(0) @binding(SLOT) var<storage, read_write> words_SLOT: array<vec4u>;
//#end

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let stride = workgroups.x * LANES;
  let one = vec4u(1u);
  //#for slot
  let count_SLOT = arrayLength(&words_SLOT);
  var i_SLOT = id.x;
  for (; i_SLOT + 3u * stride < count_SLOT; i_SLOT += 4u * stride) {
    let a = words_SLOT[i_SLOT];
    let b = words_SLOT[i_SLOT + stride];
    let c = words_SLOT[i_SLOT + 2u * stride];
    let d = words_SLOT[i_SLOT + 3u * stride];
    words_SLOT[i_SLOT] = a + one;
    words_SLOT[i_SLOT + stride] = b + one;
    words_SLOT[i_SLOT + 2u * stride] = c + one;
    words_SLOT[i_SLOT + 3u * stride] = d + one;
  }
  for (; i_SLOT < count_SLOT; i_SLOT += stride) {
    words_SLOT[i_SLOT] += one;
  }
  //#end
}
