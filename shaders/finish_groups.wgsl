// Pass 2 for many norms: eight lanes fold the partials of one group (a tensor or a member) and decide its scale.

@group(0) @binding(0) var<storage, read_write> partials: array<Partial>;
@group(0) @binding(1) var<storage, read_write> entries: array<Entry>;
@group(0) @binding(5) var<storage, read> groups: array<u32>;

// Of each group, in `groups`: where its ranges of partials stand there and how many, the same for its parameter, and
// the bits of the square root of its number of values. A range is its first partial and the one after its last.
const GROUP_WORDS = 8u;
const LANES = 8u;

var<workgroup> found: array<Partial, 64>;

// One lane's share of the partials in some ranges.
fn gathered(rangesAt: u32, rangeCount: u32, lane: u32) -> Partial {
  var mine = nothing();
  for (var r = 0u; r < rangeCount; r += 1u) {
    let end = groups[rangesAt + 2u * r + 1u];
    for (var i = groups[rangesAt + 2u * r] + lane; i < end; i += LANES) {
      mine = combined(mine, partials[i]);
    }
  }
  return mine;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let g = workgroup.x * (64u / LANES) + lane / LANES;
  let at = g * GROUP_WORDS;
  let isGroup = g < settings.groupCount;
  var mine = nothing();
  var parameter = nothing();
  if (isGroup) {
    mine = gathered(groups[at], groups[at + 1u], lane % LANES);
    // Few parameters have more partials than lanes: the first lane gathers them all.
    if (lane % LANES == 0u) {
      for (var k = 0u; k < LANES; k += 1u) {
        parameter = combined(parameter, gathered(groups[at + 2u], groups[at + 3u], k));
      }
    }
  }
  found[lane] = mine;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane % LANES < half) {
      found[lane] = combined(found[lane], found[lane + half]);
    }
    workgroupBarrier();
  }
  if (isGroup && lane % LANES == 0u) {
    let decision = decide(found[lane], wide(groups[at + 4u]), norm_of(parameter));
    entries[g] = Entry(decision.scale, decision.flags, decision.norm, decision.fraction, decision.power,
      found[lane].nonFinite, 0u);
    // finish.wgsl finds the flags among the partials.
    partials[groups[groups[at]]].flags |= decision.flags;
  }
}
