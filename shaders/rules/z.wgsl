//#import shared/soft_float
//#import shared/moved

// ZClip: norms more than `threshold` standard deviations above the mean are bound by mean + threshold * deviation / (z / threshold),
// z = (norm - mean) / (deviation + EPSILON). Mean and variance of the norms so clipped are kept as SoftFloat, so that they neither
// overflow nor underflow, and are moved by a part of the difference: a norm that never changes has a deviation of exactly 0.
// state.words has the statistics of each norm that is remembered.
struct RuleMemory {
  threshold: SoftFloat,
  weight: SoftFloat, // of a new norm after the warm-up, 1 - decay
  warmup: u32,
}

struct Statistics {
  count: u32,   // norms seen, as far as the warm-up goes
  mean: SoftFloat,
  variance: SoftFloat,
}

const EPSILON_BITS = 0x358637bdu; // 1e-6
const LEAST_EXPONENT = -600; // float64 holds what is above, so that a saved variance is the same number
const STATISTICS_WORDS = 5u;

fn soft_float_at(at: u32) -> SoftFloat {
  return SoftFloat(state.words[at], bitcast<i32>(state.words[at + 1u]));
}

fn keep_at(at: u32, value: SoftFloat) {
  state.words[at] = value.mantissa;
  state.words[at + 1u] = bitcast<u32>(value.exponent);
}

// What a norm counts as: itself, or its bound if it stands out.
fn usual(mine: Statistics, norm: SoftFloat) -> SoftFloat {
  if (!exceeds(norm, mine.mean)) {
    return norm;
  }
  let deviation = rounded(root(mine.variance));
  let distance = rounded(difference(norm, mine.mean));
  let most = product(state.rule.threshold, rounded(sum(deviation, soft_float(EPSILON_BITS))));
  if (!exceeds(distance, most)) {
    return norm;
  }
  let excess = quotient(product(product(state.rule.threshold, deviation), most), distance);
  return rounded(sum(mine.mean, excess));
}

fn note(at: u32, statistics: Statistics, norm: SoftFloat, warming: bool) {
  let count = select(statistics.count, statistics.count + 1u, warming);
  var weight = state.rule.weight;
  if (warming) {
    weight = quotient(normalized(1u, 0), normalized(count, 0));
  }
  let before = rounded(difference(norm, statistics.mean));
  let mean = moved(statistics.mean, norm, weight);
  let after = rounded(difference(norm, mean));
  // While all norms weigh the same this makes their variance; the moving one is of the distance from the new mean.
  var squared = product(after, after);
  if (warming) {
    squared = product(after, before);
  }
  var variance = moved(statistics.variance, squared, weight);
  if (variance.exponent < LEAST_EXPONENT) {
    variance = SoftFloat(0u, 0);
  }
  state.words[at] = count;
  keep_at(at + 1u, mean);
  keep_at(at + 3u, variance);
}

fn bound_for(facts: Facts) -> SoftFloat {
  var at = 0u;
  //#if MEMORIES
  if (normNumber == NONE) {
    return facts.maxNorm;
  }
  at = STATISTICS_WORDS * normNumber;
  if (facts.norm.mantissa == 0u) { // a bound that follows from zeros alone would stay 0
    return facts.maxNorm;
  }
  //#end
  let mine = Statistics(state.words[at], soft_float_at(at + 1u), soft_float_at(at + 3u));
  let warming = mine.count < state.rule.warmup;
  if (warming) {
    note(at, mine, facts.norm, true);
    return facts.maxNorm;
  }
  let counted = usual(mine, facts.norm);
  note(at, mine, counted, false);
  let bound = soft_float(float_bits(counted));
  if (exceeds(facts.norm, counted) && exceeds(facts.maxNorm, bound)) {
    return bound;
  }
  return facts.maxNorm;
}

fn remember(lane: u32) {}
//#if MEMORIES

fn is_joint() -> bool {
  return false;
}

fn note_joint(norm: SoftFloat) {}
//#end
