//#import shared/soft_float

// Nothing is summed: the largest magnitude is found anyway, and only NaN and infinity need care.
const FAST_FROM = 0u;
const FAST_BELOW = 0x7f800000u;
const EXACT_ONLY = false;

fn fast_terms(values: Values) -> Values {
  return Values();
}

fn exact_term(bits: u32) -> SoftFloat {
  return SoftFloat(0u, 0);
}
