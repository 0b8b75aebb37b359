//#import stored

// The bindings of the gradients. WGSL has no array of bindings, so a word by the number of its binding takes a switch. That
// is too slow for a loop over all words: such loops are repeated for every binding.
//#for slot
@group(0) @binding(SLOT) var<storage, ACCESS> gradients_SLOT: array<Stored>;
fn read_SLOT(i: u32) -> Word { return word_in(gradients_SLOT[i / PARTS], i); }
//#end

fn word_of(slot: u32, i: u32) -> Word {
  switch (slot) {
    //#for slot
    case SLOTu: { return read_SLOT(i); }
    //#end
    default: { return Word(); }
  }
}
