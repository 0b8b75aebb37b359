// Positive numbers beyond float32's range, in integers: mantissa * 2^exponent, the mantissa with its top bit set, or 0, where
// the exponent means nothing. WGSL allows a division to be off by 2.5 ULP and sqrt by more, and it allows a device to flush
// subnormal results and to assume that there are no infinities (github.com/gpuweb/gpuweb/issues/2259). These functions give the
// same bits on every device: float32 only estimates, and integers correct it. Delete `quotient` and `root` when WGSL has an
// extension for correctly rounded division and square root that every device offers.
struct SoftFloat {
  mantissa: u32,
  exponent: i32,
}

const FRACTION = 0x7fffffu;
const HIDDEN = 0x800000u;
const TOP = 0x80000000u;

// Of a number that is not 0. The exponent of a float32 tells them: compilers make a long ladder of countLeadingZeros. The bit
// behind the first one is cleared, so that rounding carries nowhere.
fn leading_zeros(value: u32) -> u32 {
  return 158u - (bitcast<u32>(f32(value & ~(value >> 1u))) >> 23u);
}

fn normalized(value: u32, exponent: i32) -> SoftFloat {
  let zeros = leading_zeros(value);
  return SoftFloat(value << (zeros & 31u), exponent - i32(zeros));
}

// Where one zero leads at most.
fn aligned(value: u32, exponent: i32) -> SoftFloat {
  let zeros = 1u - (value >> 31u);
  return SoftFloat(value << zeros, exponent - i32(zeros));
}

// The magnitude of a finite float32, exactly. The integer that a subnormal one holds is a normal float32.
fn soft_float(bits: u32) -> SoftFloat {
  let magnitude = bits & 0x7fffffffu;
  let isSubnormal = magnitude < HIDDEN;
  let normal = select(magnitude, bitcast<u32>(f32(magnitude)), isSubnormal);
  let mantissa = select((normal << 8u) | TOP, 0u, magnitude == 0u);
  return SoftFloat(mantissa, i32(normal >> 23u) - select(158, 307, isSubnormal));
}

fn exceeds(a: SoftFloat, b: SoftFloat) -> bool {
  let isLarger = a.exponent > b.exponent || (a.exponent == b.exponent && a.mantissa > b.mantissa);
  return a.mantissa != 0u && (b.mantissa == 0u || isLarger);
}

// To float32's 24 bits, ties to even.
fn rounded(value: SoftFloat) -> SoftFloat {
  let more = value.mantissa + 0x7fu + ((value.mantissa >> 8u) & 1u);
  let carried = more < value.mantissa;
  return SoftFloat(select(more & 0xffffff00u, TOP, carried), value.exponent + i32(carried));
}

// Of two numbers of 24 bits, to 32 bits; the last is set if anything follows.
fn exact_product(a: SoftFloat, b: SoftFloat) -> SoftFloat {
  let aDigits = vec2u(a.mantissa >> 20u, (a.mantissa >> 8u) & 0xfffu);
  let bDigits = vec2u(b.mantissa >> 20u, (b.mantissa >> 8u) & 0xfffu);
  let low = aDigits.y * bDigits.y;
  let middle = aDigits.x * bDigits.y + aDigits.y * bDigits.x + (low >> 12u);
  let sticky = u32(((low & 0xfffu) | (middle & 15u)) != 0u);
  return aligned((((aDigits.x * bDigits.x) << 8u) + (middle >> 4u)) | sticky, a.exponent + b.exponent + 32);
}

// Of two numbers of 24 bits, rounded to 24.
fn product(a: SoftFloat, b: SoftFloat) -> SoftFloat {
  return rounded(exact_product(a, b));
}

// What an estimate lacks, of which `rest` is left: -1, 0 or 1. It should be 0 to `most`, and wraps around below 0.
fn correction(rest: u32, most: u32) -> u32 {
  return select(u32(rest > most), 0xffffffffu, rest > 0x7fffffffu);
}

// floor(value * 2^shift / divisor), of at most 15 digits, and the remainder; the divisor has at most 28. So the estimate is
// off by one at most, even if it is some ULP off.
fn divided(value: u32, shift: u32, divisor: u32) -> vec2u {
  let estimate = u32(f32(value) / f32(divisor) * f32(1u << shift));
  let rest = (value << shift) - estimate * divisor;
  let more = correction(rest, divisor - 1u);
  return vec2u(estimate + more, rest - more * divisor);
}

// Rounded to 24 bits; of either number the first 28 count. 26 digits in two steps.
fn quotient(a: SoftFloat, b: SoftFloat) -> SoftFloat {
  let divisor = b.mantissa >> 4u;
  let first = divided(a.mantissa >> 4u, 12u, divisor);
  let second = divided(first.y, 13u, divisor);
  let digits = (first.x << 13u) + second.x;
  return rounded(aligned((digits << 6u) | u32(second.y != 0u), a.exponent - b.exponent - 31));
}

// 28 digits of the square root, the last set if anything follows, so that rounding this to 24 bits is exact. The first 14 are
// the root r of the first half of the number; the others are what is left, divided by 2r, or one less.
fn root(squared: SoftFloat) -> SoftFloat {
  if (squared.mantissa == 0u) {
    return squared;
  }
  // squared = (high * 2^28 + low) * 2^exponent: 56 bits, or 55 to make the exponent even.
  let shift = select(24u, 23u, (squared.exponent & 1) != 0);
  let exponent = squared.exponent - i32(shift);
  let high = squared.mantissa >> (28u - shift);
  let low = (squared.mantissa << shift) & 0xfffffffu;
  let estimate = u32(sqrt(f32(high)));
  let rest = high - estimate * estimate;
  let more = correction(rest, 2u * estimate);
  let first = estimate + more;
  let second = divided(((rest - more * (estimate + first)) << 14u) | (low >> 14u), 0u, 2u * first);
  let left = second.y << 14u; // of 32 digits, low ends in zeros
  let square = second.x * second.x;
  let digits = (first << 14u) + second.x - u32(left < square);
  return SoftFloat((digits | u32(left != square)) << 4u, exponent / 2 - 4);
}

// The float32 nearest to a number of 24 bits, at most the largest finite one.
fn float_bits(value: SoftFloat) -> u32 {
  let biased = value.exponent + 158;
  if (value.mantissa == 0u) {
    return 0u;
  }
  if (biased > 254) {
    return 0x7f7fffffu;
  }
  // Of a subnormal result some bits are dropped, ties to even.
  let drop = u32(clamp(1 - biased, 0, 25));
  let mantissa = value.mantissa >> 8u;
  let half = (1u << drop) >> 1u;
  let isEven = ~(mantissa >> drop) & 1u;
  return (u32(max(biased, 1) - 1) << 23u) + ((mantissa + half - min(half, isEven)) >> drop);
}

// Sums of many positive numbers: (x + y * 2^-32) * 2^(z - BIAS), the top bit of x clear, so that adding two never overflows; z is 0
// for 0. 63 bits, because a chain with 32 drops about as much at each of thousands of equal addends: 4 ULP in the end.
alias Sum = vec3u;

const BIAS = 0x40000000u;

fn wide(value: SoftFloat) -> Sum {
  let exponent = BIAS + 1u + u32(value.exponent);
  return Sum(value.mantissa >> 1u, value.mantissa << 31u, select(exponent, 0u, value.mantissa == 0u));
}

fn narrow(total: Sum) -> SoftFloat {
  let zeros = leading_zeros(total.x); // one at least
  if (total.x == 0u) {
    return SoftFloat();
  }
  return SoftFloat((total.x << zeros) | (total.y >> (32u - zeros)), i32(total.z - BIAS) - i32(zeros));
}

fn added(a: Sum, b: Sum) -> Sum {
  let aFirst = a.z > b.z;
  let large = select(b, a, aFirst);
  let small = select(a, b, aFirst);
  let distance = min(large.z - small.z, 63u);
  let shift = distance & 31u;
  let isFar = distance > 31u;
  let high = select(small.x, 0u, isFar);
  let moved = (select(small.y, small.x, isFar) >> shift) | ((high << 1u) << (31u - shift));
  let low = large.y + moved;
  let total = large.x + (high >> shift) + u32(low < moved);
  let over = total >> 31u;
  return Sum(total >> over, (low >> over) | ((total & over) << 31u), large.z + over);
}

// Truncated to 32 bits.
fn sum(a: SoftFloat, b: SoftFloat) -> SoftFloat {
  return narrow(added(wide(a), wide(b)));
}
