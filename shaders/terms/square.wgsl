//#import shared/wide

// x^2. A lane whose largest magnitude lies between PLAIN_FROM and PLAIN_BELOW sums in float32: nothing overflows, and
// what may flush to zero, at most 2^20 squares below 2^-126, is less than 2^-26 of the sum.
const PLAIN_FROM = 0x2b800000u;  // 2^-40
const PLAIN_BELOW = 0x56800000u; // 2^46
const CAREFUL_ONLY = false;

fn plain_terms(values: Values) -> Values {
  return values * values;
}

fn careful_term(bits: u32) -> Wide {
  let magnitude = wide(bits);
  return exact_product(magnitude, magnitude);
}
