// Lp: sum^(1/p) = 2^(e / p) * 2^(log2(f) / p) with sum = f * 2^e; e / p in integers, as in terms/power.wgsl.
fn norm_of(all: Partial) -> Wide {
  if (all.sum.mantissa == 0u) {
    return all.sum;
  }
  let power = i32(settings.power & 0x7fffffu);
  let shift = settings.power >> 23u;
  let scaled = (all.sum.exponent + 31) << shift;
  // Rounded down, also below 0.
  let whole = select(scaled / power, -((power - 1 - scaled) / power), scaled < 0);
  let fraction = f32(scaled - whole * power) / f32(power);
  let f = bitcast<f32>(0x3f800000u | ((all.sum.mantissa >> 8u) & FRACTION));
  let exponent = fraction + log2(f) / (f32(power) * bitcast<f32>((127u - shift) << 23u));
  let rest = exponent - floor(exponent);
  let result = wide(bitcast<u32>(exp2(rest)));
  return Wide(result.mantissa, result.exponent + whole + i32(floor(exponent)));
}
