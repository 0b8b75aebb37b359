//#import shared/soft_float

// |x|^p for any p, as 2^(p * e) * 2^(p * log2(f)) with |x| = f * 2^e, f in [1, 2). p is a fixed-point number, so that
// p * e is exact in integers; float32 alone would lose the fraction of an exponent in the thousands.
const FAST_FROM = 0u;
const FAST_BELOW = 0u;
const EXACT_ONLY = true;

fn fast_terms(values: Values) -> Values {
  return Values();
}

fn exact_term(bits: u32) -> SoftFloat {
  if (bits == 0u) {
    return SoftFloat(0u, 0);
  }
  let x = soft_float(bits);
  let power = table.power & 0x7fffffu;
  let shift = table.power >> 23u;
  let whole = i32(power) * (x.exponent + 31);
  let fraction = f32(u32(whole) & ((1u << shift) - 1u)) * bitcast<f32>((127u - shift) << 23u);
  let f = bitcast<f32>(0x3f800000u | ((x.mantissa >> 8u) & FRACTION));
  let exponent = fraction + f32(power) * bitcast<f32>((127u - shift) << 23u) * log2(f);
  let rest = exponent - floor(exponent);
  let term = soft_float(bitcast<u32>(exp2(rest)));
  return SoftFloat(term.mantissa, term.exponent + (whole >> shift) + i32(floor(exponent)));
}
