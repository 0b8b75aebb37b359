//#import word

// Products with a positive factor, on the bits of float32s: subnormal ones become 0, whatever the device does with them. Signs are
// kept apart, because a device may lose that of a zero; and so that a compiler cannot fuse the multiplication with an addition
// that follows.
fn multiplied(bits: Word, factor: f32) -> Word {
  if (factor == 1.0) {
    return bits;
  }
  let product = bitcast<Word>(bitcast<Values>(bits & Word(0x7fffffffu)) * factor);
  return select(Word(0u), product, product >= Word(0x800000u)) | (bits & Word(0x80000000u));
}
