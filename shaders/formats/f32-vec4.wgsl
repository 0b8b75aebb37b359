// Four float32 a word: ranges that begin and end on 16 bytes.
alias Word = vec4u;
alias Values = vec4f;
const ELEMENTS = 4u;

fn values_of(word: Word) -> Values { return bitcast<Values>(word); }
fn word_of_values(values: Values) -> Word { return bitcast<Word>(values); }
fn sum_of(values: Values) -> f32 { return (values.x + values.y) + (values.z + values.w); }

// Magnitudes compare as integers; the largest of a word is told as the bits of a float32.
fn magnitude(word: Word) -> Word { return word & Word(0x7fffffffu); }
fn largest_of(word: Word) -> u32 { return max(max(word.x, word.y), max(word.z, word.w)); }

fn element_of(word: Word, k: u32) -> u32 { return word[k]; }
fn with_element(word: Word, k: u32, bits: u32) -> Word {
  var changed = word;
  changed[k] = bits;
  return changed;
}
