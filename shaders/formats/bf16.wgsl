// bfloat16: the upper half of a float32.

fn finite_values(half: Word) -> Values { return bitcast<Values>(half << Word(16u)); }
fn magnitude_bits(half: u32) -> u32 { return half << 16u; }

// The bfloat16 nearest to a magnitude, ties to even; of a NaN its first bits.
fn nearest(bits: Word) -> Word {
  let half = bits >> Word(16u);
  let rounded = (bits + Word(0x7fffu) + (half & Word(1u))) >> Word(16u);
  return select(rounded, half, bits > Word(0x7f800000u));
}
