//#import formats/packed

// bfloat16: the upper half of a float32.

fn finite_values(half: Word) -> Values { return bitcast<Values>(half << Word(16u)); }
fn magnitude_bits(half: u32) -> u32 { return half << 16u; }

// The bfloat16 nearest to a magnitude, ties to even.
fn nearest(bits: Word) -> Word { return (bits + Word(0x7fffu) + ((bits >> Word(16u)) & Word(1u))) >> Word(16u); }

fn nan_of(bits: u32) -> u32 { return bits >> 16u; }
