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
