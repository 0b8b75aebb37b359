//#import shared/record
//#import shared/decide
//#import shared/fold

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

// The norm of everything; flags of the groups came with the partials; there is no one scale.
fn sum_up(whole: Decision, flags: u32) -> Decision {
  var decision = whole;
  decision.scale = vec2u(NAN_BITS, ONE_BITS);
  decision.flags = flags;
  decision.bound = max_norm_bits();
  return decision;
}

// Clipped by value: what every gradient was multiplied by before.
fn each_scale() -> vec2u {
  let bits = grad_scale_bits();
  return vec2u(select(NAN_BITS, bits, bits >= HIDDEN && bits < INFINITY_BITS), ONE_BITS);
}

fn conclude(all: Partial) {
  var decision: Decision;
  var verdict = 0u;
  if (settings.groupCount > 0u) {
    let whole = decide(all, SoftFloat(0u, 0), SoftFloat(0u, 0));
    verdict = whole.flags;
    decision = sum_up(whole, all.flags);
  } else {
    decision = decide(all, SoftFloat(0u, 0), SoftFloat(0u, 0));
  }
  //#if SKIPS
  if ((verdict & SPIKE) != 0u) {
    decision.scale = vec2u(0u, ONE_BITS);
    decision.flags = (decision.flags & ~CLIPPED) | SKIP | SPIKE;
  }
  //#end
  if (settings.nonFinite == EACH) {
    decision.scale = each_scale();
    decision.flags = (decision.flags & (NAN_SEEN | INFINITY_SEEN)) | (all.flags & CLIPPED);
  }
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
    whole.record.maxAbs = float_bits(product(soft_float(all.largest), soft_float(grad_scale_bits())));
  }
  whole.record.steps += 1u;
  whole.record.clippedSteps += select(0u, 1u, (decision.flags & CLIPPED) != 0u);
  whole.record.skippedSteps += select(0u, 1u, (decision.flags & SKIP) != 0u);
  whole.record.maxNorm = decision.bound;
  //#if SKIPS
  whole.spikeSteps += select(0u, 1u, (decision.flags & SPIKE) != 0u);
  //#end
  whole.record.nonFiniteSteps += select(0u, 1u, nonFinite != 0u);
  let isBad = nonFinite != 0u || (decision.flags & SKIP) != 0u;
  whole.record.badStepsInARow = select(0u, whole.record.badStepsInARow + 1u, isBad);
  if (all.nonFinite > 0u) {
    // 0 says that there is none, so step 2^32 is told as the one before.
    whole.lastStep = select(whole.record.steps, 0xffffffffu, whole.record.steps == 0u);
    whole.lastPiece = all.firstPiece;
    whole.lastElement = all.firstElement;
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) lane: u32) {
  //#if SKIPS
  prepare_skip(lane);
  //#end
  var mine = nothing();
  let end = settings.firstPartial + settings.partialCount;
  for (var i = settings.firstPartial + lane; i < end; i += WORKGROUP) {
    mine = combined(mine, partials[i]);
  }
  let all = folded(mine, lane, WORKGROUP, WORKGROUP);
  if (lane == 0u) {
    conclude(all);
  }
  //#if REMEMBERS
  remember(lane);
  //#end
}
