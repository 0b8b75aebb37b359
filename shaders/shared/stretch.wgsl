//#import word
//#import shared/soft_float

// What a lane has summed in float32, all parts of a word together. In integers, so that no short pattern of values in a row
// has rounding errors that add up.
fn wide_sum(values: Values) -> Sum {
  let bits = bitcast<Word>(values);
  let exponents = bits >> Word(23u);
  let top = largest_lane(exponents);
  let digits = ((bits & Word(FRACTION)) | min(bits, Word(HIDDEN))) << Word(5u); // 29
  let total = sum_of(digits >> min(Word(top) - exponents, Word(31u)));
  return Sum(total, 0u, select(BIAS - 155u + top, 0u, total == 0u));
}
