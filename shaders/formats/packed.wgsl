//#import word

// Two elements of 16 bits in 32, the first in the low half. f16.wgsl and bf16.wgsl tell what the 15 bits of a magnitude
// are: finite_values, magnitude_bits, rounded_units (of UNITS in 1), rounded_bits and nan_of; and with `plain_values` those of the
// low halves, which may count on `keeps_values`. Signs are kept apart, so that -0 and rounding need no thought. What is rounded
// begins at bit ROUNDED.
const ELEMENTS = 2u * WIDTH;
const PACKED = true;

fn low_magnitudes(word: Word) -> Word { return word & Word(0x7fffu); }

// Without their signs, which no norm needs.
fn values_of(word: Word) -> Values { return plain_values(word); }
fn more_values_of(word: Word) -> Values { return plain_values(word >> Word(16u)); }

fn joined(low: Word, high: Word) -> Word {
  return (low >> Word(ROUNDED)) | ((high << Word(16u - ROUNDED)) & Word(0xffff0000u));
}

fn scaled_word(word: Word, factor: f32) -> Word {
  let units = factor * UNITS;
  let changed = joined(rounded_units(values_of(word) * units), rounded_units(more_values_of(word) * units));
  return (word & Word(0x80008000u)) | changed;
}

// Magnitudes compare as integers; the largest of a word is told as the bits of a float32.
fn magnitude(word: Word) -> Word { return max(low_magnitudes(word), low_magnitudes(word >> Word(16u))); }
fn largest_of(word: Word) -> u32 { return lane_of(magnitude_bits(Word(largest_lane(word))), 0u); }

// Elements are told as the bits of a float32, those of a NaN too.
fn element_of(word: Word, k: u32) -> u32 {
  let half = lane_of(word, k / 2u) >> (16u * (k % 2u));
  return ((half & 0x8000u) << 16u) | lane_of(magnitude_bits(Word(half & 0x7fffu)), 0u);
}

fn with_element(word: Word, k: u32, bits: u32) -> Word {
  let positive = bits & 0x7fffffffu;
  // The payload of a NaN that comes from such a format is kept.
  let half = select(lane_of(rounded_bits(Word(positive)), 0u) >> ROUNDED, nan_of(positive), positive > 0x7f800000u);
  let shift = 16u * (k % 2u);
  let other = lane_of(word, k / 2u) & ~(0xffffu << shift);
  return with_lane(word, k / 2u, other | ((((bits >> 16u) & 0x8000u) | half) << shift));
}
