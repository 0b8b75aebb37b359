//#import shared/record
//#import shared/decide
//#import shared/fold
//#if MEMORIES
//#import shared/memories
//#end

// Pass 2, one workgroup: folds the partials into the record: norm = root(sum), scale = bound / (norm + eps) where that
// is below 1. With a norm for each group, finish_groups.wgsl has decided, and this sums up.

@group(0) @binding(0) var<storage, read> partials: array<Partial>;
@group(0) @binding(1) var<storage, read_write> whole: WholeRecord;

// All 96 bytes of the record.
struct WholeRecord {
  record: ClipRecord,
  lastStep: u32, // the latest with a non-finite value, from 1; 0 without one
  lastPiece: u32,
  lastElement: u32,
  spikeSteps: u32,
  reserved: vec4u,
}

fn conclude(all: Partial, together: Decision) {
  let gradScale = grad_scale_bits();
  var decision = together;
  if (settings.groupCount > 0u) { // no one scale, no one bound; flags of the groups came with the partials
    decision.scale = vec2u(NAN_BITS, ONE_BITS);
    decision.flags = all.flags & ~select(TAKEN, TAKEN | SKIP, (all.flags & TAKEN) != 0u);
    decision.bound = NAN_BITS;
    //#if MEMORIES
    if (isJoint != 0u && (decision.flags & SKIP) != 0u) {
      decision.scale = vec2u(0u, ONE_BITS);
    }
    //#end
  }
  if (settings.nonFinite == EACH) { // the pass before has multiplied by this
    decision.scale = vec2u(select(NAN_BITS, gradScale, is_factor(gradScale)), ONE_BITS);
    decision.flags = (decision.flags & (NAN_SEEN | INFINITY_SEEN)) | (all.flags & CLIPPED);
  }
  //#if SKIPS
  if (isSpike) {
    decision.scale = vec2u(0u, ONE_BITS);
    decision.flags = (decision.flags & ~CLIPPED) | SKIP | SPIKE;
    whole.spikeSteps += 1u;
  }
  //#end
  whole.record.scale = decision.scale;
  whole.record.flags = decision.flags;
  whole.record.norm = decision.norm;
  whole.record.fraction = decision.fraction;
  whole.record.power = decision.power;
  whole.record.nonFinite = all.nonFinite;
  whole.record.firstPiece = all.firstPiece;
  whole.record.firstElement = all.firstElement;
  let nonFinite = decision.flags & (NAN_SEEN | INFINITY_SEEN);
  if (nonFinite != 0u) {
    whole.record.maxAbs = non_finite_bits(nonFinite);
  } else {
    whole.record.maxAbs = float_bits(product(soft_float(all.largest), soft_float(gradScale)));
  }
  whole.record.steps += 1u;
  whole.record.clippedSteps += u32((decision.flags & CLIPPED) != 0u);
  whole.record.skippedSteps += u32((decision.flags & SKIP) != 0u);
  whole.record.maxNorm = decision.bound;
  whole.record.nonFiniteSteps += u32(nonFinite != 0u);
  let isBad = nonFinite != 0u || (decision.flags & SKIP) != 0u;
  whole.record.badStepsInARow = select(0u, whole.record.badStepsInARow + 1u, isBad);
  if (all.nonFinite > 0u) {
    // 0 says that there is none, so step 2^32 is told as the one before.
    whole.lastStep = select(whole.record.steps, 0xffffffffu, whole.record.steps == 0u);
    whole.lastPiece = all.firstPiece;
    whole.lastElement = all.firstElement;
  }
  //#if HISTORY
  // As src/history.ts reads it: the first 24 bytes of the record, the bound, and the number of the step.
  let at = arrayLength(&state.words) - 8u * (whole.record.steps % settings.history + 1u);
  state.words[at] = decision.scale.x;
  state.words[at + 1u] = decision.scale.y;
  state.words[at + 2u] = decision.flags;
  state.words[at + 3u] = decision.norm;
  state.words[at + 4u] = decision.fraction;
  state.words[at + 5u] = bitcast<u32>(decision.power);
  state.words[at + 6u] = decision.bound;
  state.words[at + 7u] = whole.record.steps;
  //#end
}

fn partial_before(i: u32, end: u32) -> Partial {
  var found = partials[min(i, end - 1u)];
  if (i >= end) {
    found = nothing();
  }
  return found;
}

fn found_from(first: u32, lane: u32) -> Partial {
  var mine = nothing();
  let end = first + settings.partialCount;
  for (var i = first + lane; i < end; i += 4u * WORKGROUP) {
    // Four loads in flight: one workgroup waits for memory more than it computes.
    let a = partials[i];
    let b = partial_before(i + WORKGROUP, end);
    let c = partial_before(i + 2u * WORKGROUP, end);
    let d = partial_before(i + 3u * WORKGROUP, end);
    mine = combined(mine, combined(combined(a, b), combined(c, d)));
  }
  return mine;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) lane: u32) {
  var all = folded(found_from(settings.firstPartial, lane), lane, WORKGROUP, WORKGROUP);
  //#if SKIPS
  judge(all, lane);
  //#end
  var together: Decision;
  if (lane == 0u) {
    together = decide(all, SoftFloat(), SoftFloat());
  //#if MEMORIES
  }
  all.flags = flags_of_each(together, lane);
  if (lane == 0u) {
  //#end
    conclude(all, together);
  }
  //#if REMEMBERS
  remember(lane);
  //#end
}
