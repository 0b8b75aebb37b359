//#import shared/partial
//#import terms

// A value that may be out of the ordinary: its term is computed in integers, a NaN or an infinity is counted.
fn careful_sum(mine: ptr<function, Partial>, bits: u32, rank: u32, element: u32) -> Wide {
  (*mine).largest = max((*mine).largest, bits);
  if (bits >= INFINITY_BITS) {
    note_fault(mine, bits, rank, element);
    return Wide(0u, 0);
  }
  return careful_term(bits);
}

// Whether float32 cannot sum the terms of values up to this magnitude.
fn needs_care(largest: u32) -> bool {
  return CAREFUL_ONLY || (largest != 0u && (largest < PLAIN_FROM || largest >= PLAIN_BELOW));
}
