// Four float32 a word: ranges that begin and end on 16 bytes.
alias Word = vec4u;
alias Values = vec4f;
const LANES = 4u;

fn lane_of(word: Word, lane: u32) -> u32 { return word[lane]; }
fn with_lane(word: Word, lane: u32, bits: u32) -> Word {
  var changed = word;
  changed[lane] = bits;
  return changed;
}
fn largest_of(word: Word) -> u32 { return max(max(word.x, word.y), max(word.z, word.w)); }
fn sum_of(values: Values) -> f32 { return (values.x + values.y) + (values.z + values.w); }
