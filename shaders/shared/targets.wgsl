//#import shared/slots

// The bindings that a pass writes to: those of the gradients, or others beside them.
//#if INTO
//#for slot
@group(0) @binding(INTO) var<storage, read_write> into_SLOT: array<Word>;
//#end
//#end

fn set_word(slot: u32, i: u32, word: Word) {
  switch (slot) {
    //#for slot
    case SLOTu: { TARGET_SLOT[i] = word; }
    //#end
    default: {}
  }
}

fn target_word(slot: u32, i: u32) -> Word {
  switch (slot) {
    //#for slot
    case SLOTu: { return TARGET_SLOT[i]; }
    //#end
    default: { return Word(); }
  }
}
