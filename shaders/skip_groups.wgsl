//#import shared/record
//#import shared/entry

// Where the whole step is skipped, so is each of its norms: every entry gets scale 0.

@group(0) @binding(0) var<uniform> record: ClipRecord;
@group(0) @binding(1) var<storage, read_write> entries: array<Entry>;

const CLIPPED = 1u;
const SKIP = 2u;
const SPIKE = 16u;
const ONE_BITS = 0x3f800000u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  if ((record.flags & SPIKE) == 0u) {
    return;
  }
  for (var g = id.x; g < arrayLength(&entries); g += workgroups.x * WORKGROUP_SIZEu) {
    entries[g].scale = vec2u(0u, ONE_BITS);
    entries[g].flags = (entries[g].flags & ~CLIPPED) | SKIP | SPIKE;
  }
}
