// One float32 a word: ranges that begin or end off 16 bytes.
alias Word = u32;
alias Values = f32;
const ELEMENTS = 1u;

fn values_of(word: Word) -> Values { return bitcast<Values>(word); }
fn word_of_values(values: Values) -> Word { return bitcast<Word>(values); }
fn sum_of(values: Values) -> f32 { return values; }

// Magnitudes compare as integers; the largest of a word is told as the bits of a float32.
fn magnitude(word: Word) -> Word { return word & 0x7fffffffu; }
fn largest_of(word: Word) -> u32 { return word; }

fn element_of(word: Word, k: u32) -> u32 { return word; }
fn with_element(word: Word, k: u32, bits: u32) -> Word { return bits; }
