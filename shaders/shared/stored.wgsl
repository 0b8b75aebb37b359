//#import word

// What a binding holds is a word, whether it is read or written.
alias Stored = Word;
const PARTS = 1u;
fn word_in(stored: Stored, i: u32) -> Word { return stored; }
