//#import shared/entry
//#import shared/decide
//#import shared/fold

// Pass 2 for many norms: eight lanes fold the partials of one group (a tensor, a member, a named group or a unit along axes) and decide
// its scale; every workgroup leaves one partial of all its groups for finish.wgsl.

@group(0) @binding(0) var<storage, read_write> partials: array<Partial>;
@group(0) @binding(1) var<storage, read_write> entries: array<Entry>;
@group(0) @binding(5) var<storage, read> bundles: array<u32>;

// A bundle is a row of groups, in order: its first group, where its ranges of partials stand in `bundles` and how many, the
// same for its parameter, the bits of its groups' weight, and their traits. A range is the first partial of the bundle's first group,
// and how many partials each group has: those of the next follow.
const BUNDLE_WORDS = 7u;
const ABSENT = 1u;
const INDEPENDENT = 2u;
const UNJUDGED = 4u; // by a skip rule
const LANES = 8u;
const GROUPS = WORKGROUP / LANES;

fn bundle_of(g: u32) -> u32 {
  var low = 0u;
  var high = settings.bundleCount;
  while (low + 1u < high) {
    let middle = (low + high) / 2u;
    if (bundles[middle * BUNDLE_WORDS] <= g) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low * BUNDLE_WORDS;
}

// One lane's share of the partials of a group.
fn gathered(rangesAt: u32, rangeCount: u32, inBundle: u32, lane: u32) -> Partial {
  var mine = nothing();
  for (var r = 0u; r < rangeCount; r += 1u) {
    let each = bundles[rangesAt + 2u * r + 1u];
    let first = bundles[rangesAt + 2u * r] + inBundle * each;
    for (var i = lane; i < each; i += LANES) {
      mine = combined(mine, partials[first + i]);
    }
  }
  return mine;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  var share = nothing();
  //#if IN_PART
  var judged = nothing(); // by a skip rule
  //#end
  for (var turn = 0u; turn < settings.rounds; turn += 1u) {
    let g = (workgroup.x * settings.rounds + turn) * GROUPS + lane / LANES;
    let isGroup = g < settings.groupCount;
    let at = bundle_of(g);
    var mine = nothing();
    var parameter = nothing();
    if (isGroup) {
      let inBundle = g - bundles[at];
      mine = gathered(bundles[at + 1u], bundles[at + 2u], inBundle, lane % LANES);
      parameter = gathered(bundles[at + 3u], bundles[at + 4u], inBundle, lane % LANES);
    }
    share = combined(share, mine);
    var all = folded(mine, lane, LANES, LANES);
    let parameterAll = folded(parameter, lane, LANES, LANES);
    if (isGroup && lane % LANES == 0u) {
      // A parameter without a norm gives no bound: that counts as a NaN among the gradients.
      all.flags |= select(0u, NAN_SEEN, parameterAll.flags != 0u);
      var decision = decide(all, soft_float(bundles[at + 5u]), norm_of(parameterAll));
      let traits = bundles[at + 6u];
      if ((traits & ABSENT) != 0u) {
        decision = Decision(vec2u(ONE_BITS), 0u, NAN_BITS, NAN_BITS, 0, 0u);
      }
      entries[g] = Entry(decision.scale, decision.flags, decision.norm, decision.fraction, decision.power,
        all.nonFinite, 0u);
      let isTaken = (traits & INDEPENDENT) != 0u && (decision.flags & SKIP) == 0u;
      share.flags |= decision.flags | select(0u, TAKEN, isTaken);
      //#if IN_PART
      if ((traits & UNJUDGED) == 0u) {
        judged = combined(judged, all);
      }
      //#end
    }
  }
  let all = folded(share, lane, WORKGROUP, WORKGROUP);
  if (lane == 0u) {
    partials[settings.firstPartial + workgroup.x] = all;
  }
  //#if IN_PART
  // Behind those of all groups.
  let judgedAll = folded(judged, lane, WORKGROUP, WORKGROUP);
  if (lane == 0u) {
    partials[settings.firstPartial + settings.partialCount + workgroup.x] = judgedAll;
  }
  //#end
}
