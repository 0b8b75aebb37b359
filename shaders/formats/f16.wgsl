//#import formats/packed

// IEEE binary16. Where unpack2x16float may flush subnormal numbers, and for rounding, in integers and in float operations whose results
// are exact: what pack2x16float does with ties is not specified, nor is the way in which a float32 sum rounds.

// Moved to float32's place and bias, the bits of a normal number are its float32. Those of a subnormal number then are
// (2^-14 + value) / 2, which is above the value; 2 * that - 2^-14 is the value, and for a normal number not below it.
fn finite_values(half: Word) -> Values {
  let moved = bitcast<Values>((half << Word(13u)) + Word(0x38000000u));
  return min(moved, moved * 2.0 - 0x1p-14f);
}

// One instruction, exact but for subnormal numbers, which WGSL lets a device flush: see keeps_values of shared/spans.wgsl.
fn plain_values(word: Word) -> Values { return abs(halves_in(word)); }

fn magnitude_bits(half: Word) -> Word {
  return select(bitcast<Word>(finite_values(half)), Word(0x7f800000u) | (half << Word(13u)), half >= Word(0x7c00u));
}

const UNITS = 0x1p24f; // the smallest number's
const ROUNDED = 13u;

// To the nearest float16, ties to even. A subnormal one is a number of units, for which float32 has a function that rounds so;
// half of that and 512 has this number in its fraction, with 13 zeros behind, and just there is the larger of the two.
fn rounded_units(units: Values) -> Word {
  let bits = bitcast<Word>(max(units, round(units) * 0.5 + 512.0));
  return bits + Word(0xbc000fffu) + ((bits >> Word(13u)) & Word(1u));
}

// From 65520 infinity.
fn rounded_bits(bits: Word) -> Word { return rounded_units(bitcast<Values>(min(bits, Word(0x47800000u))) * UNITS); }

fn nan_of(bits: u32) -> u32 { return 0x7c00u | ((bits >> 13u) & 0x3ffu); }
