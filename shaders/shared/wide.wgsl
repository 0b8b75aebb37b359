// Positive numbers beyond float32's range, in integers: mantissa * 2^exponent with the mantissa in [2^23, 2^24), or 0.
// WGSL's sqrt and division may be off by several ULP, its results may be flushed or assumed finite; these are
// correctly rounded and the same on every device.
struct Wide {
  mantissa: u32,
  exponent: i32,
}

const TOP = 0x800000u; // 2^23

// value * 2^exponent, rounded to 24 bits, ties to even.
fn rounded(value: u32, exponent: i32) -> Wide {
  if (value == 0u) {
    return Wide(0u, 0);
  }
  let zeros = countLeadingZeros(value);
  let normal = value << zeros;
  var mantissa = normal >> 8u;
  let rest = normal & 0xffu;
  if (rest > 0x80u || (rest == 0x80u && (mantissa & 1u) == 1u)) {
    mantissa += 1u;
  }
  let shifted = exponent + 8 - i32(zeros);
  if (mantissa == 2u * TOP) {
    return Wide(TOP, shifted + 1);
  }
  return Wide(mantissa, shifted);
}

// The magnitude of a finite float32.
fn wide(bits: u32) -> Wide {
  let biased = (bits >> 23u) & 0xffu;
  let fraction = bits & (TOP - 1u);
  if (biased == 0u) {
    return rounded(fraction, -149);
  }
  return Wide(fraction | TOP, i32(biased) - 150);
}

fn exceeds(a: Wide, b: Wide) -> bool {
  if (a.mantissa == 0u || b.mantissa == 0u) {
    return a.mantissa != 0u;
  }
  return a.exponent > b.exponent || (a.exponent == b.exponent && a.mantissa > b.mantissa);
}

fn sum(a: Wide, b: Wide) -> Wide {
  let aFirst = exceeds(a, b);
  let large = Wide(select(b.mantissa, a.mantissa, aFirst), select(b.exponent, a.exponent, aFirst));
  let small = Wide(select(a.mantissa, b.mantissa, aFirst), select(a.exponent, b.exponent, aFirst));
  let distance = u32(clamp(large.exponent - small.exponent, 0, 31));
  if (small.mantissa == 0u) {
    return large;
  }
  return rounded((large.mantissa << 7u) + ((small.mantissa << 7u) >> distance), large.exponent - 7);
}

fn product(a: Wide, b: Wide) -> Wide {
  let aHigh = a.mantissa >> 12u;
  let aLow = a.mantissa & 0xfffu;
  let bHigh = b.mantissa >> 12u;
  let bLow = b.mantissa & 0xfffu;
  let cross = aHigh * bLow + aLow * bHigh;
  let low = aLow * bLow + ((cross & 0xfffu) << 12u);
  let high = aHigh * bHigh + (cross >> 12u) + (low >> 24u);
  // high * 2^24 + the low 24 bits, of which the last 23 can only break a tie.
  let rest = low & 0xffffffu;
  let sticky = select(0u, 1u, (rest & 0x3fffffu) != 0u);
  return rounded((high << 3u) | ((rest >> 22u) << 1u) | sticky, a.exponent + b.exponent + 21);
}

// Digit by digit: 24 bits of the quotient, then the remainder decides the rounding.
fn quotient(a: Wide, b: Wide) -> Wide {
  if (a.mantissa == 0u) {
    return a;
  }
  var remainder = a.mantissa;
  var exponent = a.exponent - b.exponent - 23;
  if (remainder < b.mantissa) {
    remainder <<= 1u;
    exponent -= 1;
  }
  var digits = 0u;
  for (var i = 0u; i < 24u; i += 1u) {
    digits <<= 1u;
    if (remainder >= b.mantissa) {
      remainder -= b.mantissa;
      digits |= 1u;
    }
    remainder <<= 1u;
  }
  // Here the remainder is doubled: it is compared with the divisor to round to nearest.
  if (remainder > b.mantissa || (remainder == b.mantissa && (digits & 1u) == 1u)) {
    digits += 1u;
  }
  return rounded(digits, exponent);
}

// Square root, two bits of the argument for each of the 24 digits; an exact tie cannot occur.
fn root(squared: Wide) -> Wide {
  if (squared.mantissa == 0u) {
    return squared;
  }
  // squared = (high * 2^32 + low) * 2^exponent, 47 or 48 bits long and with an even exponent.
  let shift = select(23u, 24u, ((squared.exponent + 23) & 1) != 0);
  let exponent = squared.exponent - i32(shift);
  var high = squared.mantissa >> (32u - shift);
  var low = squared.mantissa << shift;
  var remainder = 0u;
  var digits = 0u;
  for (var i = 0u; i < 24u; i += 1u) {
    remainder = (remainder << 2u) | ((high >> 14u) & 3u);
    high = (high << 2u) | (low >> 30u);
    low <<= 2u;
    let trial = (digits << 2u) | 1u;
    digits <<= 1u;
    if (remainder >= trial) {
      remainder -= trial;
      digits |= 1u;
    }
  }
  return rounded(digits + select(0u, 1u, remainder > digits), exponent / 2);
}

// Nearest float32, at most the largest finite one.
fn float_bits(value: Wide) -> u32 {
  let biased = value.exponent + 150;
  if (value.mantissa == 0u || biased < -24) {
    return 0u;
  }
  if (biased > 254) {
    return 0x7f7fffffu;
  }
  if (biased > 0) {
    return (u32(biased) << 23u) | (value.mantissa & (TOP - 1u));
  }
  let drop = u32(1 - biased);
  let kept = value.mantissa >> drop;
  let rest = value.mantissa & ((1u << drop) - 1u);
  let tie = 1u << (drop - 1u);
  return kept + select(0u, 1u, rest > tie || (rest == tie && (kept & 1u) == 1u));
}
