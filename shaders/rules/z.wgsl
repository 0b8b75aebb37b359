//#import shared/soft_float
//#import shared/difference

// ZClip: norms more than `threshold` standard deviations above the mean are bound by mean + threshold * deviation / (z / threshold),
// z = (norm - mean) / (deviation + EPSILON). Mean and variance of the norms so clipped are kept as SoftFloat, so that they neither
// overflow nor underflow, and are moved by a part of the difference: a norm that never changes has a deviation of exactly 0.
struct RuleMemory {
  threshold: SoftFloat,
  weight: SoftFloat, // of a new norm after the warm-up, 1 - decay
  warmup: u32,
  count: u32,   // norms seen, as far as the warm-up goes
  mean: SoftFloat,
  variance: SoftFloat,
}

const EPSILON_BITS = 0x358637bdu; // 1e-6
const LEAST_EXPONENT = -600; // float64 holds what is above, so that a saved variance is the same number

// The value and a part of what it lacks: 32 bits, although the part has only 24.
fn moved(value: SoftFloat, to: SoftFloat, weight: SoftFloat) -> SoftFloat {
  let part = product(rounded(difference(to, value)), weight);
  if (exceeds(value, to)) {
    return difference_down(value, part);
  }
  return sum(value, part);
}

// What a norm counts as: itself, or its bound if it stands out.
fn usual(norm: SoftFloat) -> SoftFloat {
  if (!exceeds(norm, state.rule.mean)) {
    return norm;
  }
  let deviation = rounded(root(state.rule.variance));
  let distance = rounded(difference(norm, state.rule.mean));
  let most = product(state.rule.threshold, rounded(sum(deviation, soft_float(EPSILON_BITS))));
  if (!exceeds(distance, most)) {
    return norm;
  }
  let excess = quotient(product(product(state.rule.threshold, deviation), most), distance);
  return rounded(sum(state.rule.mean, excess));
}

fn note(norm: SoftFloat, warming: bool) {
  let count = select(state.rule.count, state.rule.count + 1u, warming);
  var weight = state.rule.weight;
  if (warming) {
    weight = quotient(normalized(1u, 0), normalized(count, 0));
  }
  let before = rounded(difference(norm, state.rule.mean));
  let mean = moved(state.rule.mean, norm, weight);
  let after = rounded(difference(norm, mean));
  // While all norms weigh the same this makes their variance; the moving one is of the distance from the new mean.
  var squared = product(after, after);
  if (warming) {
    squared = product(after, before);
  }
  var variance = moved(state.rule.variance, squared, weight);
  if (variance.exponent < LEAST_EXPONENT) {
    variance = SoftFloat(0u, 0);
  }
  state.rule.count = count;
  state.rule.mean = mean;
  state.rule.variance = variance;
}

fn bound_for(facts: Facts) -> SoftFloat {
  let warming = state.rule.count < state.rule.warmup;
  if (warming) {
    note(facts.norm, true);
    return facts.maxNorm;
  }
  let counted = usual(facts.norm);
  note(counted, false);
  let bound = soft_float(float_bits(counted));
  if (exceeds(facts.norm, counted) && exceeds(facts.maxNorm, bound)) {
    return bound;
  }
  return facts.maxNorm;
}

fn remember(lane: u32) {}
