//#import formats/packed

// IEEE binary16, in integers: what unpack2x16float does with subnormal numbers and pack2x16float with ties is not
// specified.

fn finite_values(half: Word) -> Values {
  let normal = bitcast<Values>((half << Word(13u)) + Word(0x38000000u));
  return select(normal, Values(half) * 0x1p-24f, half < Word(0x400u));
}

fn magnitude_bits(half: u32) -> u32 {
  if (half >= 0x7c00u) {
    return 0x7f800000u | (half << 13u);
  }
  return bitcast<u32>(lane_of(bitcast<Word>(finite_values(Word(half))), 0u));
}

// The float16 nearest to a magnitude, ties to even. Of a normal result 13 bits are dropped; a subnormal one counts units
// of 2^-24.
fn nearest(bits: Word) -> Word {
  let drop = min(Word(126u) - min(bits >> Word(23u), Word(113u)), Word(25u));
  let subnormal = (bits & Word(0x7fffffu)) | Word(0x800000u);
  let kept = select(subnormal, bits - Word(0x38000000u), bits >= Word(0x38800000u));
  let belowTie = (Word(1u) << (drop - Word(1u))) - Word(1u);
  return min((kept + belowTie + ((kept >> drop) & Word(1u))) >> drop, Word(0x7c00u));
}

fn nan_of(bits: u32) -> u32 { return 0x7c00u | ((bits >> 13u) & 0x3ffu); }
