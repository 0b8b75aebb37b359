// A limit: the bytes of a norm pass, read and added up as integers. Nothing is looked at, and no lane waits for another.

//#for slot
@group(0) @binding(SLOT) var<storage, read> words_SLOT: array<vec4u>;
//#end
@group(1) @binding(0) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(LANES)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let stride = workgroups.x * LANES;
  var sum = vec4u();
  //#for slot
  let count_SLOT = arrayLength(&words_SLOT);
  var i_SLOT = id.x;
  for (; i_SLOT + 3u * stride < count_SLOT; i_SLOT += 4u * stride) {
    let a = words_SLOT[i_SLOT];
    let b = words_SLOT[i_SLOT + stride];
    let c = words_SLOT[i_SLOT + 2u * stride];
    let d = words_SLOT[i_SLOT + 3u * stride];
    sum += (a + b) + (c + d);
  }
  for (; i_SLOT < count_SLOT; i_SLOT += stride) {
    sum += words_SLOT[i_SLOT];
  }
  //#end
  sums[id.x] += (sum.x + sum.y) + (sum.z + sum.w);
}
