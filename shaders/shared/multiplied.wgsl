//#import word

// Products with a positive factor, on the bits of float32s. Those below `least` become 0, as subnormal ones may on the device.
// Signs are kept apart, because a device may lose that of a zero; and so that a compiler cannot fuse the multiplication with an
// addition that follows.
fn multiplied(bits: Word, factor: f32, least: u32) -> Word {
  if (factor == 1.0) {
    return bits;
  }
  let product = bitcast<Word>(bitcast<Values>(bits & Word(0x7fffffffu)) * factor);
  return select(Word(0u), product, product >= Word(least)) | (bits & Word(0x80000000u));
}
