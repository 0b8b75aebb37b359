//#import shared/soft_float

// x^2. A lane whose largest magnitude lies between FAST_FROM and FAST_BELOW sums in float32: nothing overflows, and
// what may flush to zero, at most 2^20 squares below 2^-126, is less than 2^-26 of the sum.
const FAST_FROM = 0x2b800000u;  // 2^-40
const FAST_BELOW = 0x56800000u; // 2^46
const EXACT_ONLY = false;

fn fast_terms(values: Values) -> Values {
  return values * values;
}

fn exact_term(bits: u32) -> SoftFloat {
  let magnitude = soft_float(bits);
  return exact_product(magnitude, magnitude);
}
