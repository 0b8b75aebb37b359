//#import shared/soft_float

// ZClip: norms more than `threshold` standard deviations above the mean are bound by mean + threshold * deviation / (z / threshold),
// z = (norm - mean) / (deviation + EPSILON). Mean and variance of the norms so clipped are kept as SoftFloat, so that they neither
// overflow nor underflow, and are moved by a part of the difference: a norm that never changes has a deviation of exactly 0.
struct Statistics {
  threshold: SoftFloat,
  weight: SoftFloat, // of a new norm after the warm-up, 1 - decay
  warmup: u32,
  count: u32,   // norms seen, as far as the warm-up goes
  mean: SoftFloat,
  variance: SoftFloat,
}

@group(0) @binding(5) var<storage, read_write> statistics: Statistics;

const EPSILON_BITS = 0x358637bdu; // 1e-6
const LEAST_EXPONENT = -600; // float64 holds what is above, so that a saved variance is the same number

// |a - b|
fn difference(a: SoftFloat, b: SoftFloat) -> SoftFloat {
  if (exceeds(b, a)) {
    return difference_down(b, a);
  }
  return difference_down(a, b);
}

fn difference_down(large: SoftFloat, small: SoftFloat) -> SoftFloat {
  let distance = large.exponent - small.exponent;
  if (small.mantissa == 0u || distance > 31) {
    return large;
  }
  return normalized(large.mantissa - (small.mantissa >> u32(distance)), large.exponent);
}

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
  if (!exceeds(norm, statistics.mean)) {
    return norm;
  }
  let deviation = rounded(root(statistics.variance));
  let distance = rounded(difference(norm, statistics.mean));
  let most = product(statistics.threshold, rounded(sum(deviation, soft_float(EPSILON_BITS))));
  if (!exceeds(distance, most)) {
    return norm;
  }
  let excess = quotient(product(product(statistics.threshold, deviation), most), distance);
  return rounded(sum(statistics.mean, excess));
}

fn note(norm: SoftFloat, warming: bool) {
  let count = select(statistics.count, statistics.count + 1u, warming);
  var weight = statistics.weight;
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
  statistics.count = count;
  statistics.mean = mean;
  statistics.variance = variance;
}

fn bound_for(facts: Facts) -> SoftFloat {
  let warming = statistics.count < statistics.warmup;
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
