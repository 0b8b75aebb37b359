//#import shared/soft_float

// Each group has its own bound, which comes as its weight. No norm exceeds a bound of Infinity.
fn bound_for(facts: Facts) -> SoftFloat {
  let bound = facts.weight;
  return SoftFloat(bound.mantissa, select(bound.exponent, 0x10000, bound.exponent > 96));
}
