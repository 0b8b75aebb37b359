//#import shared/partial

// Lp: sum^(1/p) = 2^(e / p) * 2^(log2(f) / p) with sum = f * 2^e; e / p in integers, as in lp_terms.wgsl.
fn norm_of(all: Partial) -> SoftFloat {
  let total = narrow(all.sum);
  if (total.mantissa == 0u) {
    return total;
  }
  let power = settings.power & 0x7fffffu;
  let shift = settings.power >> 23u;
  // |e| / p digit by digit, because |e| * 2^shift may leave 32 bits.
  let e = total.exponent + 31;
  var quotient = u32(abs(e)) / power;
  var remainder = u32(abs(e)) % power;
  for (var i = 0u; i < shift; i += 1u) {
    quotient *= 2u;
    remainder *= 2u;
    if (remainder >= power) {
      remainder -= power;
      quotient += 1u;
    }
  }
  // Rounded down, also below 0.
  var whole = i32(quotient);
  if (e < 0) {
    whole = -whole - i32(remainder > 0u);
    remainder = select(0u, power - remainder, remainder > 0u);
  }
  let fraction = f32(remainder) / f32(power);
  let f = bitcast<f32>(0x3f800000u | ((total.mantissa >> 8u) & FRACTION));
  let exponent = fraction + log2(f) / (f32(power) * bitcast<f32>((127u - shift) << 23u));
  let rest = exponent - floor(exponent);
  let result = soft_float(bitcast<u32>(exp2(rest)));
  return SoftFloat(result.mantissa, result.exponent + whole + i32(floor(exponent)));
}
