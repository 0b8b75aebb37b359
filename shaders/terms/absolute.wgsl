//#import shared/wide

// |x|. Between PLAIN_FROM and PLAIN_BELOW a lane sums in float32, as in square.wgsl.
const PLAIN_FROM = 0x17800000u;  // 2^-80
const PLAIN_BELOW = 0x71800000u; // 2^100
const CAREFUL_ONLY = false;

fn plain_terms(values: Values) -> Values {
  return abs(values);
}

fn careful_term(bits: u32) -> Wide {
  return wide(bits);
}
