//#import format

// Elements of 16 bits whose results are float32: they are read as float32. For a word of results a binding holds half as many bytes, and
// a word of 4 bytes is one of the two PARTS of what it holds.
fn word_in(stored: Stored, i: u32) -> Word {
  let halves = halves_of(stored, i);
  return magnitude_bits(halves & Word(0x7fffu)) | ((halves & Word(0x8000u)) << Word(16u));
}
