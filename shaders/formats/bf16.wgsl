//#import formats/packed

// bfloat16: the upper half of a float32.

fn finite_values(half: Word) -> Values { return bitcast<Values>(half << Word(16u)); }
fn plain_values(word: Word) -> Values { return finite_values(word & Word(0x7fffu)); }
fn magnitude_bits(half: Word) -> Word { return half << Word(16u); }

const UNITS = 1f;
const ROUNDED = 16u;

// To the nearest bfloat16, ties to even.
fn rounded_bits(bits: Word) -> Word { return bits + Word(0x7fffu) + ((bits >> Word(16u)) & Word(1u)); }
fn rounded_units(units: Values) -> Word { return rounded_bits(bitcast<Word>(units)); }

fn nan_of(bits: u32) -> u32 { return bits >> 16u; }
