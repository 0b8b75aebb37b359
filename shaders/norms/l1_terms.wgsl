//#import shared/soft_float

// |x|. Between FAST_FROM and FAST_BELOW a lane sums in float32, as in l2_terms.wgsl.
const FAST_FROM = 0x17800000u;  // 2^-80
const FAST_BELOW = 0x71800000u; // 2^100
const EXACT_ONLY = false;

fn fast_terms(values: Values) -> Values {
  return abs(values);
}

fn exact_term(bits: u32) -> SoftFloat {
  return soft_float(bits);
}
