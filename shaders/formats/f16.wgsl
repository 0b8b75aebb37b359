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

// The float16 nearest to a magnitude, ties to even. Subnormal results are counted in units of 2^-24.
fn nearest(bits: Word) -> Word {
  let isNormal = bits >= Word(0x38800000u);
  let exponent = bits >> Word(23u);
  let fraction = (bits & Word(0x7fffffu)) | Word(0x800000u);
  let drop = select(min(Word(126u) - min(exponent, Word(126u)), Word(25u)), Word(13u), isNormal);
  let kept = select(fraction, bits - Word(0x38000000u), isNormal);
  let half = (kept + (Word(1u) << (drop - Word(1u))) - Word(1u) + ((kept >> drop) & Word(1u))) >> drop;
  // Of a NaN that was made from float16 the payload comes back; one of another origin keeps its first bits.
  let notFinite = Word(0x7c00u) | ((bits >> Word(13u)) & Word(0x3ffu));
  return select(min(half, Word(0x7c00u)), notFinite, bits > Word(0x7f800000u));
}
