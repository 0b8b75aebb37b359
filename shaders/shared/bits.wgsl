//#import format

// All elements of a word as the bits of float32s, of finite numbers, and back. Of results of 16 bits the first are those of the
// low halves.
//#if UNPACKED
fn bits_of(word: Word) -> Word { return word; }
fn more_bits_of(word: Word) -> Word { return Word(); }
fn word_with(bits: Word, more: Word) -> Word { return bits; }
//#end
//#if PACKED
fn bits_of(word: Word) -> Word { return bitcast<Word>(finite_values(low_magnitudes(word))) | ((word << Word(16u)) & Word(0x80000000u)); }
fn more_bits_of(word: Word) -> Word { return bits_of(word >> Word(16u)); }

fn word_with(bits: Word, more: Word) -> Word {
  let changed = joined(rounded_bits(bits & Word(0x7fffffffu)), rounded_bits(more & Word(0x7fffffffu)));
  return changed | ((bits >> Word(16u)) & Word(0x8000u)) | (more & Word(0x80000000u));
}
//#end
