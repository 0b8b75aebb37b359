//#import shared/workgroup

// The tiles of a dispatch are numbered through all its segments. A workgroup takes tilesPerWorkgroup of them in a row.
// `Segment` is that of shared/segment.wgsl, or the kernel's own; both have eight words and a `tile`.
struct Table {
  segmentCount: u32,
  tilesPerWorkgroup: u32,
  accumulates: u32, // 1: what this dispatch finds is added to what earlier ones left, 0: it replaces that
  power: u32,       // the p of a norm that is not 1, 2 or infinity, in fixed point: see norms/lp_terms.wgsl
  firstPartial: u32,
  low: u32, // bits of the limits of clamp.wgsl
  high: u32,
  gradScaleIndex: u32, // word of its gradScaleSource, NONE without one
  segments: array<vec4u, 480>, // two for each segment
}

@group(1) @binding(0) var<uniform> table: Table;

// The table is read as vectors. From an array of structs Dawn reads 16 bytes for each word and selects one of four, because it does
// not see that a struct begins on 16 bytes (2026-11; no public report found). Make it an array of structs when Dawn sees that.
fn segment_at(s: u32) -> Segment {
  let a = table.segments[2u * s];
  let b = table.segments[2u * s + 1u];
  return Segment(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}

fn first_segment(tile: u32) -> u32 {
  var low = 0u;
  var high = table.segmentCount;
  while (low + 1u < high) {
    let middle = (low + high) / 2u;
    if (segment_at(middle).tile <= tile) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}
