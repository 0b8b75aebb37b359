//#import word

// One float32 in 32 bits.
const ELEMENTS = WIDTH;
const PACKED = false;

fn values_of(word: Word) -> Values { return bitcast<Values>(word); }
fn more_values_of(word: Word) -> Values { return Values(); }
fn scaled_word(word: Word, factor: f32) -> Word { return bitcast<Word>(bitcast<Values>(word) * factor); }

// Magnitudes compare as integers; the largest of a word is told as the bits of a float32.
fn magnitude(word: Word) -> Word { return word & Word(0x7fffffffu); }
fn largest_of(word: Word) -> u32 { return largest_lane(word); }

// Elements are told as the bits of a float32.
fn element_of(word: Word, k: u32) -> u32 { return lane_of(word, k); }
fn with_element(word: Word, k: u32, bits: u32) -> Word { return with_lane(word, k, bits); }
