// Ranges that begin and end on 16 bytes are read 16 bytes at a time.
alias Word = vec4u;
alias Values = vec4f;
const WIDTH = 4u;
//#if WIDENS
alias Stored = vec2u;
const PARTS = 1u;
fn halves_of(stored: Stored, i: u32) -> Word { return stored.xxyy >> Word(0u, 16u, 0u, 16u); }
//#end

// The float16s in the low halves.
fn halves_in(word: Word) -> Values {
  return Values(unpack2x16float(word.x).x, unpack2x16float(word.y).x, unpack2x16float(word.z).x, unpack2x16float(word.w).x);
}

fn sum_of(word: Word) -> u32 { return (word.x + word.y) + (word.z + word.w); }
fn largest_lane(word: Word) -> u32 { return max(max(word.x, word.y), max(word.z, word.w)); }
fn lane_of(word: Word, k: u32) -> u32 { return word[k]; }
fn with_lane(word: Word, k: u32, bits: u32) -> Word {
  var changed = word;
  changed[k] = bits;
  return changed;
}
