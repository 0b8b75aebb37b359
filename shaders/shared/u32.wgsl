// One float32 a word: ranges that begin or end off 16 bytes.
alias Word = u32;
alias Values = f32;
const LANES = 1u;

fn lane_of(word: Word, lane: u32) -> u32 { return word; }
fn with_lane(word: Word, lane: u32, bits: u32) -> Word { return bits; }
fn largest_of(word: Word) -> u32 { return word; }
fn sum_of(values: Values) -> f32 { return values; }
