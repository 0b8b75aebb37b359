// Pass 2, one workgroup: folds the partials into the record: norm = root(sum), scale = bound / (norm + eps) where that
// is below 1.

@group(0) @binding(0) var<storage, read> partials: array<Partial>;
@group(0) @binding(1) var<storage, read_write> record: ClipRecord;
@group(0) @binding(2) var<storage, read> gradScaleSource: array<u32>;
@group(0) @binding(3) var<storage, read> totalNormSource: array<u32>;
@group(0) @binding(4) var<uniform> settings: Settings;
// One byte each, chosen by a dynamic offset into a constant table: the bits of maxNorm, then those of gradScale.
// This is how every encode keeps its own values, however many are recorded before one submit.
@group(1) @binding(0) var<uniform> byte0: vec4u;
@group(1) @binding(1) var<uniform> byte1: vec4u;
@group(1) @binding(2) var<uniform> byte2: vec4u;
@group(1) @binding(3) var<uniform> byte3: vec4u;
@group(1) @binding(4) var<uniform> byte4: vec4u;
@group(1) @binding(5) var<uniform> byte5: vec4u;
@group(1) @binding(6) var<uniform> byte6: vec4u;
@group(1) @binding(7) var<uniform> byte7: vec4u;

struct Settings {
  partialCount: u32,
  nonFinite: u32,       // ZERO, KEEP, PROPAGATE; EACH: clamp.wgsl has decided for each value
  gradScaleIndex: u32,  // word of gradScaleSource, NONE without one
  totalNormIndex: u32,  // word of totalNormSource, NONE without one, GIVEN if it stands here
  totalNormMantissa: u32,
  totalNormExponent: i32,
  totalNormFlags: u32,  // NAN_SEEN, INFINITY_SEEN
  power: u32,           // see roots/power.wgsl
  epsMantissa: u32,
  epsExponent: i32,
}

const WORKGROUP = 64u;
const ZERO = 0u;
const KEEP = 1u;
const EACH = 3u;
const GIVEN = 0xfffffffeu;
const CLIPPED = 1u;
const SKIP = 2u;
const NAN_BITS = 0x7fc00000u;
const ONE_BITS = 0x3f800000u;

var<workgroup> found: array<Partial, 64>;

// Two normal factors whose product is the scale; below 2^-252 nothing but zero can come out.
fn factors(scale: Wide) -> vec2u {
  let power = scale.exponent + 31;
  if (scale.mantissa == 0u || power < -252) {
    return vec2u(0u, ONE_BITS);
  }
  let halvings = select(0, min(126, -power), power < -126);
  return vec2u(float_bits(Wide(scale.mantissa, scale.exponent + halvings)), u32(127 - halvings) << 23u);
}

fn set_norm(bits: u32, fraction: u32, power: i32) {
  record.norm = bits;
  record.fraction = fraction;
  record.power = power;
}

fn conclude_non_finite(flags: u32) {
  let bits = select(INFINITY_BITS, NAN_BITS, (flags & NAN_SEEN) != 0u);
  set_norm(bits, bits, 0);
  record.maxAbs = bits;
  record.flags = flags;
  if (settings.nonFinite == ZERO) {
    record.scale = vec2u(0u, ONE_BITS);
    record.flags = flags | SKIP;
    record.skippedSteps += 1u;
  } else if (settings.nonFinite == KEEP) {
    record.scale = vec2u(ONE_BITS, ONE_BITS);
  } else {
    record.scale = vec2u(select(0u, NAN_BITS, (flags & NAN_SEEN) != 0u), ONE_BITS);
  }
}

fn total_norm_bits() -> u32 {
  if (settings.totalNormIndex >= GIVEN) {
    return 0u;
  }
  return totalNormSource[settings.totalNormIndex];
}

fn conclude_finite(exactNorm: Wide, largest: u32, maxNormBits: u32, gradScale: Wide) {
  var norm = product(rounded(exactNorm), gradScale);
  if (settings.totalNormIndex == GIVEN) {
    norm = Wide(settings.totalNormMantissa, settings.totalNormExponent);
  } else if (settings.totalNormIndex != NONE) {
    norm = wide(total_norm_bits());
  }
  let bound = bound_for(norm, wide(maxNormBits));
  let divisor = sum(norm, Wide(settings.epsMantissa, settings.epsExponent));
  let clipped = maxNormBits != INFINITY_BITS && exceeds(divisor, bound);
  var scale = gradScale;
  if (clipped && (settings.totalNormIndex != NONE || settings.epsMantissa != 0u)) {
    scale = product(gradScale, quotient(bound, divisor));
  } else if (clipped) {
    scale = quotient(bound, exactNorm); // gradScale cancels
  }
  set_norm(float_bits(norm), select(0u, 0x3f000000u | ((norm.mantissa >> 8u) & FRACTION), norm.mantissa != 0u),
    select(0, norm.exponent + 32, norm.mantissa != 0u));
  record.maxAbs = float_bits(product(wide(largest), gradScale));
  record.scale = factors(scale);
  record.flags = select(0u, CLIPPED, clipped);
  record.clippedSteps += select(0u, 1u, clipped);
}

fn conclude(all: Partial) {
  let maxNormBits = byte0.x | (byte1.x << 8u) | (byte2.x << 16u) | (byte3.x << 24u);
  var gradScaleBits = byte4.x | (byte5.x << 8u) | (byte6.x << 16u) | (byte7.x << 24u);
  if (settings.gradScaleIndex != NONE) {
    gradScaleBits = gradScaleSource[settings.gradScaleIndex];
  }
  let totalNormBits = total_norm_bits();
  var flags = all.flags | settings.totalNormFlags;
  // Anything but a positive normal factor, and a negative total norm, counts as a NaN among the gradients.
  let usable = gradScaleBits >= HIDDEN && gradScaleBits < INFINITY_BITS;
  flags |= select(NAN_SEEN, 0u, usable);
  flags |= select(0u, NAN_SEEN, totalNormBits > INFINITY_BITS);
  flags |= select(0u, INFINITY_SEEN, totalNormBits == INFINITY_BITS);

  record.nonFinite = all.nonFinite;
  record.firstRank = all.firstRank;
  record.firstElement = all.firstElement;
  record.maxNorm = maxNormBits;
  record.steps += 1u;
  if ((flags & (NAN_SEEN | INFINITY_SEEN)) != 0u) {
    conclude_non_finite(flags);
  } else {
    conclude_finite(norm_of(all), all.largest, maxNormBits, wide(gradScaleBits));
  }
  if (settings.nonFinite == EACH) {
    record.scale = vec2u(select(NAN_BITS, gradScaleBits, usable), ONE_BITS);
    record.flags = flags;
    record.clippedSteps += flags & CLIPPED;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  var mine = nothing();
  for (var i = lane; i < settings.partialCount; i += WORKGROUP) {
    mine = combined(mine, partials[i]);
  }
  found[lane] = mine;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      found[lane] = combined(found[lane], found[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    conclude(found[0]);
  }
}
