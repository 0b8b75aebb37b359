//#import shared/difference

// The value and a part of what it lacks: 32 bits, although the part has only 24. What it lacks is cut, not rounded: a part of more than
// all would go below 0.
fn moved(value: SoftFloat, to: SoftFloat, weight: SoftFloat) -> SoftFloat {
  if (weight.mantissa == TOP && weight.exponent == -31) { // all of it
    return to;
  }
  let gap = difference(to, value);
  let part = product(SoftFloat(gap.mantissa & 0xffffff00u, gap.exponent), weight);
  if (exceeds(value, to)) {
    return difference_down(value, part);
  }
  return sum(value, part);
}
