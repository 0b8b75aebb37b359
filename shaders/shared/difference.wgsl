//#import shared/soft_float

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
