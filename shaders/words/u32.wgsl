// Ranges that begin or end off 16 bytes are read a 32-bit word at a time.
alias Word = u32;
alias Values = f32;
const WIDTH = 1u;
//#if WIDENS
alias Stored = u32;
const PARTS = 2u;
fn halves_of(stored: Stored, i: u32) -> Word { return stored >> (16u * (i % 2u)); }
//#end

fn halves_in(word: Word) -> Values { return unpack2x16float(word).x; }
fn sum_of(word: Word) -> u32 { return word; }
fn largest_lane(word: Word) -> u32 { return word; }
fn lane_of(word: Word, k: u32) -> u32 { return word; }
fn with_lane(word: Word, k: u32, bits: u32) -> Word { return bits; }
