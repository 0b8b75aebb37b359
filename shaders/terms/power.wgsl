//#import shared/wide

// |x|^p for any p, as 2^(p * e) * 2^(p * log2(f)) with |x| = f * 2^e, f in [1, 2). p is a fixed-point number, so that
// p * e is exact in integers; float32 alone would lose the fraction of an exponent in the thousands.
const PLAIN_FROM = 0u;
const PLAIN_BELOW = 0u;
const CAREFUL_ONLY = true;

fn plain_terms(values: Values) -> Values {
  return Values();
}

fn careful_term(bits: u32) -> Wide {
  if (bits == 0u) {
    return Wide(0u, 0);
  }
  let x = wide(bits);
  let power = table.power & 0x7fffffu;
  let shift = table.power >> 23u;
  let whole = i32(power) * (x.exponent + 31);
  let fraction = f32(u32(whole) & ((1u << shift) - 1u)) * bitcast<f32>((127u - shift) << 23u);
  let f = bitcast<f32>(0x3f800000u | ((x.mantissa >> 8u) & FRACTION));
  let exponent = fraction + f32(power) * bitcast<f32>((127u - shift) << 23u) * log2(f);
  let rest = exponent - floor(exponent);
  let term = wide(bitcast<u32>(exp2(rest)));
  return Wide(term.mantissa, term.exponent + (whole >> shift) + i32(floor(exponent)));
}
