//#import shared/wide

// Nothing is summed: the largest magnitude is found anyway, and only NaN and infinity need care.
const PLAIN_FROM = 0u;
const PLAIN_BELOW = 0x7f800000u;
const CAREFUL_ONLY = false;

fn plain_terms(values: Values) -> Values {
  return Values();
}

fn careful_term(bits: u32) -> Wide {
  return Wide(0u, 0);
}
