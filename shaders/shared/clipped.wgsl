// What a gradient value becomes under a scale, as two factors, and the flags of a record: bits in, bits out.

// value * 2^-halvings on the bits. A power of two is applied this way because a compiler may reorder two
// multiplications by constants of a dispatch, and their product alone can underflow.
fn halved(bits: u32, halvings: u32) -> u32 {
  let exponent = (bits >> 23u) & 0xffu;
  return select(bits & 0x80000000u, bits - (halvings << 23u), exponent > halvings);
}

fn clipped_bits(bits: u32, scale: vec2u, flags: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if ((flags & 2u) != 0u) {
    return 0u;
  }
  if (scale.x == 0x3f800000u && scale.y == 0x3f800000u) {
    return bits;
  }
  if (magnitude >= 0x7f800000u || (scale.x & 0x7fffffffu) > 0x7f800000u) {
    return 0x7fc00000u; // only under "propagate": NaN and infinity times the scale
  }
  let isOneFactor = scale.y == 0x3f800000u;
  let factor = bitcast<f32>(select(scale.y, scale.x, isOneFactor));
  let halvings = select(127u - (scale.x >> 23u), 0u, isOneFactor); // of two, the first is a power of two
  if (magnitude < 0x00800000u && factor > 1.0) {
    // A subnormal value, from its integer: the device may flush it.
    let enlarged = f32(magnitude) * 0x1p-24f * factor;
    return halved(bitcast<u32>(enlarged), 125u) | (bits & 0x80000000u);
  }
  return halved(bitcast<u32>(bitcast<f32>(bits) * factor), halvings);
}
