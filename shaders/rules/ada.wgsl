//#import shared/soft_float
//#import shared/moved

// AdaGC: each norm is bound by `relative` times a moving average of itself, as it was after the clip. In the warm-up one norm counts
// for all, and the least of each is remembered. state.words has the memory of each norm, 0 without one: a norm of 0 never enters,
// and one that has none is not bound.
struct RuleMemory {
  relative: SoftFloat,
  weight: SoftFloat, // of a new norm, 1 - decay
  warmup: u32,
  count: u32, // steps, as far as the warm-up goes
}

fn memory() -> SoftFloat {
  return SoftFloat(state.words[2u * normNumber], bitcast<i32>(state.words[2u * normNumber + 1u]));
}

fn keep(norm: SoftFloat) {
  state.words[2u * normNumber] = norm.mantissa;
  state.words[2u * normNumber + 1u] = bitcast<u32>(norm.exponent);
}

fn is_joint() -> bool {
  return state.rule.count < state.rule.warmup;
}

fn note_joint(norm: SoftFloat) {
  let before = memory();
  if (norm.mantissa != 0u && (before.mantissa == 0u || exceeds(before, norm))) {
    keep(norm);
  }
}

fn bound_for(facts: Facts) -> SoftFloat {
  if (normNumber == NONE) {
    return facts.maxNorm;
  }
  let before = memory();
  if (before.mantissa == 0u || facts.norm.mantissa == 0u) {
    note_joint(facts.norm);
    return SoftFloat(TOP, 0x10000); // no norm exceeds it
  }
  let bound = product(state.rule.relative, rounded(before));
  if (exceeds(facts.norm, bound)) {
    keep(moved(before, bound, state.rule.weight));
  } else {
    keep(moved(before, facts.norm, state.rule.weight));
  }
  return bound;
}

fn remember(lane: u32) {
  if (lane == 0u && isJoint != 0u && (verdict.flags & (SKIP | NAN_SEEN | INFINITY_SEEN)) == 0u) {
    state.rule.count += 1u;
  }
}
