//#import shared/targets
//#import shared/unaligned

// Writing where shared/unaligned.wgsl reads: imported under `//#if EDGES`.

// Half of one word and half of the next.
fn joined_halves(word: Word, next: Word) -> Word {
  return (word >> Word(16u)) | (next << Word(16u));
}

// The word of the destination that holds the lane's edge, in its half 1 - lane.
fn edge_word(segment: Segment, lane: u32) -> u32 {
  return select(segment.into + segment.count, segment.into - 1u, lane == 0u);
}

// The other half of the word stays; no other invocation of the dispatch writes to the word.
fn set_edge(segment: Segment, lane: u32, bits: u32) {
  let i = edge_word(segment, lane);
  set_word(segment.slot, i, with_element(target_word(segment.slot, i), 1u - lane, bits));
}
