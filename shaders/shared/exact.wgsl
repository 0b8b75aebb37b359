//#import shared/partial
//#import terms

// The exact path, for values whose terms float32 cannot sum: terms are computed in integers, NaN and infinities are counted.
fn counted_term(mine: ptr<function, Partial>, bits: u32, piece: u32, element: u32) -> SoftFloat {
  (*mine).largest = max((*mine).largest, bits);
  if (bits >= INFINITY_BITS) {
    note_fault(mine, bits, piece, element);
    return SoftFloat(0u, 0);
  }
  return exact_term(bits);
}

// Whether a lane whose largest magnitude has these bits takes the exact path.
fn needs_exact(largest: u32) -> bool {
  return EXACT_ONLY || (largest != 0u && (largest < FAST_FROM || largest >= FAST_BELOW));
}

// What a lane has summed in float32, all parts of a word together. In integers, so that no short pattern of values in a row
// has rounding errors that add up.
fn wide_sum(values: Values) -> Sum {
  let bits = bitcast<Word>(values);
  let exponents = bits >> Word(23u);
  let top = largest_lane(exponents);
  let digits = ((bits & Word(FRACTION)) | min(bits, Word(HIDDEN))) << Word(5u); // 29
  let total = sum_of(digits >> min(Word(top) - exponents, Word(31u)));
  return Sum(total, 0u, select(BIAS - 155u + top, 0u, total == 0u));
}
