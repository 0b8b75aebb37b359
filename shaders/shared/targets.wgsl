//#import shared/slots

// What a pass writes to: the bindings of the gradients, or others beside them.
//#if INTO
//#for slot
@group(0) @binding(INTO) var<storage, read_write> into_SLOT: array<Word>;
//#end
//#end

// Half of one word and half of the next.
fn joined_halves(word: Word, next: Word) -> Word {
  return (word >> Word(16u)) | (next << Word(16u));
}

// The source's word for a word of the destination, where the two lie half a word apart.
fn half_off_word(slot: u32, i: u32) -> Word {
  return joined_halves(word_of(slot, i), word_of(slot, i + 1u));
}

fn target_word(slot: u32, i: u32) -> Word {
  switch (slot) {
    //#for slot
    case SLOTu: { return TARGET_SLOT[i]; }
    //#end
    default: { return Word(); }
  }
}

fn set_word(slot: u32, i: u32, word: Word) {
  switch (slot) {
    //#for slot
    case SLOTu: { TARGET_SLOT[i] = word; }
    //#end
    default: {}
  }
}

// The element at an edge. The other half of its word stays; no other invocation of the dispatch writes to the word.
fn set_edge(segment: Segment, lane: u32, bits: u32) {
  let i = select(segment.into + segment.count, segment.into - 1u, lane == 0u);
  set_word(segment.slot, i, with_element(target_word(segment.slot, i), 1u - lane, bits));
}
