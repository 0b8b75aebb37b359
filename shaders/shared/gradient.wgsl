//#import shared/record
//#import shared/clipped

// The clipped gradient, for an optimizer that binds the record (apply: "record") and the gradient as u32.
fn clipped_gradient(bits: u32, record: ClipRecord) -> f32 {
  return bitcast<f32>(clipped_bits(bits, record.scale, record.flags));
}
