// Positive numbers beyond float32's range, in integers: mantissa * 2^exponent, the mantissa 0 or with its top bit set.
// WGSL allows a division to be off by 2.5 ULP and sqrt by more, and it allows a device to flush subnormal results and to
// assume that there are no infinities (github.com/gpuweb/gpuweb/issues/2259). These functions give the same bits on every device. Delete
// `quotient` and `root` when WGSL has an extension for correctly rounded division and square root that every device offers.
struct SoftFloat {
  mantissa: u32,
  exponent: i32,
}

const FRACTION = 0x7fffffu;
const HIDDEN = 0x800000u;

fn normalized(value: u32, exponent: i32) -> SoftFloat {
  let zeros = countLeadingZeros(value);
  return SoftFloat(value << (zeros & 31u), select(exponent - i32(zeros), 0, value == 0u));
}

// The magnitude of a finite float32, exactly.
fn soft_float(bits: u32) -> SoftFloat {
  let biased = (bits >> 23u) & 0xffu;
  let fraction = bits & FRACTION;
  return normalized(select(fraction, fraction | HIDDEN, biased > 0u), i32(max(biased, 1u)) - 150);
}

fn exceeds(a: SoftFloat, b: SoftFloat) -> bool {
  if (a.mantissa == 0u || b.mantissa == 0u) {
    return a.mantissa != 0u;
  }
  return a.exponent > b.exponent || (a.exponent == b.exponent && a.mantissa > b.mantissa);
}

// Truncated to 32 bits: a tree of these loses nothing that float32 could show.
fn sum(a: SoftFloat, b: SoftFloat) -> SoftFloat {
  let aFirst = exceeds(a, b);
  let large = SoftFloat(select(b.mantissa, a.mantissa, aFirst), select(b.exponent, a.exponent, aFirst));
  let small = SoftFloat(select(a.mantissa, b.mantissa, aFirst), select(a.exponent, b.exponent, aFirst));
  let distance = large.exponent - small.exponent;
  if (small.mantissa == 0u || distance > 31) {
    return large;
  }
  let mantissa = large.mantissa + (small.mantissa >> u32(distance));
  if (mantissa < large.mantissa) { // carried
    return SoftFloat((mantissa >> 1u) | 0x80000000u, large.exponent + 1);
  }
  return SoftFloat(mantissa, large.exponent);
}

// To float32's 24 bits, ties to even.
fn rounded(value: SoftFloat) -> SoftFloat {
  let kept = value.mantissa >> 8u;
  let rest = value.mantissa & 0xffu;
  let up = rest > 0x80u || (rest == 0x80u && (kept & 1u) == 1u);
  return normalized(kept + select(0u, 1u, up), value.exponent + 8);
}

// Of two numbers of 24 bits, to 32 bits; the last is set if anything follows.
fn exact_product(a: SoftFloat, b: SoftFloat) -> SoftFloat {
  let aHigh = a.mantissa >> 20u;
  let aLow = (a.mantissa >> 8u) & 0xfffu;
  let bHigh = b.mantissa >> 20u;
  let bLow = (b.mantissa >> 8u) & 0xfffu;
  let cross = aHigh * bLow + aLow * bHigh;
  let low = aLow * bLow + ((cross & 0xfffu) << 12u);
  let high = aHigh * bHigh + (cross >> 12u) + (low >> 24u);
  // high * 2^24 + the low 24 bits.
  let sticky = select(0u, 1u, (low & 0xffffu) != 0u);
  return normalized((high << 8u) | ((low >> 16u) & 0xffu) | sticky, a.exponent + b.exponent + 32);
}

// Of two numbers of 24 bits, rounded to 24.
fn product(a: SoftFloat, b: SoftFloat) -> SoftFloat {
  return rounded(exact_product(a, b));
}

// Rounded to 24 bits, digit by digit; of either number the first 28 bits count.
fn quotient(a: SoftFloat, b: SoftFloat) -> SoftFloat {
  if (a.mantissa == 0u) {
    return a;
  }
  let divisor = b.mantissa >> 4u;
  var remainder = a.mantissa >> 4u;
  var digits = 0u;
  for (var i = 0u; i < 26u; i += 1u) {
    digits <<= 1u;
    if (remainder >= divisor) {
      remainder -= divisor;
      digits |= 1u;
    }
    remainder <<= 1u;
  }
  let sticky = select(0u, 1u, remainder != 0u);
  return rounded(normalized((digits << 1u) | sticky, a.exponent - b.exponent - 26));
}

// 28 digits of the square root; the last is set if anything follows, so that rounding this to 24 bits is exact.
fn root(squared: SoftFloat) -> SoftFloat {
  if (squared.mantissa == 0u) {
    return squared;
  }
  // squared = (high * 2^32 + low) * 2^exponent: 56 bits, or 55 to make the exponent even.
  let shift = select(24u, 23u, (squared.exponent & 1) != 0);
  let exponent = squared.exponent - i32(shift);
  var high = squared.mantissa >> (32u - shift);
  var low = squared.mantissa << shift;
  var remainder = 0u;
  var digits = 0u;
  for (var i = 0u; i < 28u; i += 1u) {
    remainder = (remainder << 2u) | ((high >> 22u) & 3u);
    high = (high << 2u) | (low >> 30u);
    low <<= 2u;
    let trial = (digits << 2u) | 1u;
    digits <<= 1u;
    if (remainder >= trial) {
      remainder -= trial;
      digits |= 1u;
    }
  }
  return normalized(digits | select(0u, 1u, remainder != 0u), exponent / 2);
}

// The float32 nearest to a number of 24 bits, at most the largest finite one.
fn float_bits(value: SoftFloat) -> u32 {
  let biased = value.exponent + 158;
  if (value.mantissa == 0u || biased < -24) {
    return 0u;
  }
  if (biased > 254) {
    return 0x7f7fffffu;
  }
  let mantissa = value.mantissa >> 8u;
  if (biased > 0) {
    return (u32(biased) << 23u) | (mantissa & FRACTION);
  }
  let drop = u32(1 - biased);
  let kept = mantissa >> drop;
  let rest = mantissa & ((1u << drop) - 1u);
  let tie = 1u << (drop - 1u);
  return kept + select(0u, 1u, rest > tie || (rest == tie && (kept & 1u) == 1u));
}
