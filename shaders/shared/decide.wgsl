//#import shared/partial
//#import root
//#import rule
//#if SKIPS
//#import skip
//#end

// Decides the scale of the values that share a norm: finish.wgsl once for all of them, finish_groups.wgsl for each tensor,
// unit, named group or member. The bindings are the same in both.

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

//#if STATE
// What a clip remembers from step to step.
struct State {
  //#if REMEMBERS
  rule: RuleMemory,
  //#end
  //#if SKIPS
  skip: SkipMemory,
  //#end
  words: array<u32>, // lists: those of the rule, then those of the skip rule; at the end the history, see finish.wgsl
}

@group(0) @binding(5) var<storage, read_write> state: State;
//#end

struct Settings {
  partialCount: u32,    // those that finish.wgsl folds
  nonFinite: u32,       // ZERO, KEEP, PROPAGATE; EACH: clamp.wgsl has decided for each value
  gradScaleIndex: u32,  // word of gradScaleSource, NONE without one
  totalNormIndex: u32,  // word of totalNormSource, NONE without one, GIVEN if it stands here
  totalNormMantissa: u32,
  totalNormExponent: i32,
  totalNormFlags: u32,  // NAN_SEEN, INFINITY_SEEN
  power: u32,           // see norms/lp_root.wgsl
  epsMantissa: u32,
  epsExponent: i32,
  groupCount: u32,      // 0 where all share one norm
  bundleCount: u32,     // see finish_groups.wgsl
  firstPartial: u32,    // for finish.wgsl: with groups, finish_groups.wgsl has written one for each of its workgroups
  rounds: u32,          // of finish_groups.wgsl
  history: u32,         // how many steps are kept
}

const ZERO = 0u;
const KEEP = 1u;
const EACH = 3u;
const GIVEN = 0xfffffffeu;
const CLIPPED = 1u;
const SKIP = 2u;
const SPIKE = 16u;
const TAKEN = 32u; // from finish_groups.wgsl to finish.wgsl: a group that is independent of the others is not skipped
const NAN_BITS = 0x7fc00000u;
const ONE_BITS = 0x3f800000u;

// What a rule may look at.
struct Facts {
  norm: SoftFloat,
  maxNorm: SoftFloat,
  weight: SoftFloat,        // sqrt of the number of values
  parameterNorm: SoftFloat, // of the parameter that belongs to the gradient
}

struct Decision {
  scale: vec2u, // bits of two factors
  flags: u32,
  norm: u32,    // bits, saturated
  fraction: u32,
  power: i32,
  bound: u32,   // bits
}

fn max_norm_bits() -> u32 {
  return byte0.x | (byte1.x << 8u) | (byte2.x << 16u) | (byte3.x << 24u);
}

fn grad_scale_bits() -> u32 {
  if (settings.gradScaleIndex != NONE) {
    return gradScaleSource[settings.gradScaleIndex];
  }
  return byte4.x | (byte5.x << 8u) | (byte6.x << 16u) | (byte7.x << 24u);
}

fn total_norm_bits() -> u32 {
  if (settings.totalNormIndex >= GIVEN) {
    return 0u;
  }
  let bits = totalNormSource[settings.totalNormIndex];
  return select(bits, 0u, bits == 0x80000000u); // -0 is 0
}

// NAN_SEEN and INFINITY_SEEN, of the gradients and of what else goes into the norm.
fn non_finite_flags(all: Partial, gradScale: u32, totalNorm: u32) -> u32 {
  // Anything but a positive normal factor, and a negative total norm, counts as a NaN among the gradients.
  return (all.flags & (NAN_SEEN | INFINITY_SEEN)) | settings.totalNormFlags
    | select(NAN_SEEN, 0u, is_factor(gradScale))
    | select(0u, NAN_SEEN, totalNorm > INFINITY_BITS)
    | select(0u, INFINITY_SEEN, totalNorm == INFINITY_BITS);
}

fn is_factor(bits: u32) -> bool {
  return bits >= HIDDEN && bits < INFINITY_BITS;
}

fn non_finite_bits(flags: u32) -> u32 {
  return select(INFINITY_BITS, NAN_BITS, (flags & NAN_SEEN) != 0u);
}

// Two normal factors whose product is the scale; below 2^-252 nothing but zero can come out.
fn factors(scale: SoftFloat) -> vec2u {
  let power = scale.exponent + 31;
  if (scale.mantissa == 0u || power < -252) {
    return vec2u(0u, ONE_BITS);
  }
  let isSmall = power < -126;
  let factor = float_bits(SoftFloat(scale.mantissa, scale.exponent + select(0, 126, isSmall)));
  return select(vec2u(factor, ONE_BITS), vec2u(HIDDEN, factor), isSmall); // 2^-126 first, the smaller one
}

fn decide_non_finite(flags: u32) -> Decision {
  let bits = non_finite_bits(flags);
  var decision = Decision(vec2u(0u, ONE_BITS), flags, bits, bits, 0, max_norm_bits());
  if (settings.nonFinite == ZERO) {
    decision.flags |= SKIP;
  } else if (settings.nonFinite == KEEP) {
    decision.scale.x = ONE_BITS;
  } else if ((flags & NAN_SEEN) != 0u) {
    decision.scale.x = NAN_BITS;
  }
  return decision;
}

fn decided(norm: SoftFloat, scale: SoftFloat, flags: u32, bound: u32) -> Decision {
  let isZero = norm.mantissa == 0u;
  return Decision(
    factors(scale),
    flags,
    float_bits(norm),
    select(0x3f000000u | ((norm.mantissa >> 8u) & FRACTION), 0u, isZero),
    select(norm.exponent + 32, 0, isZero),
    bound,
  );
}

// After gradScale, or as it was given.
fn norm_after(exactNorm: SoftFloat, gradScale: SoftFloat, totalNorm: u32) -> SoftFloat {
  if (settings.totalNormIndex == GIVEN) {
    return SoftFloat(settings.totalNormMantissa, settings.totalNormExponent);
  }
  if (settings.totalNormIndex != NONE) {
    return soft_float(totalNorm);
  }
  return product(rounded(exactNorm), gradScale);
}

// By the norm, and the one that is exact and before gradScale.
fn decide_finite(norm: SoftFloat, exactNorm: SoftFloat, weight: SoftFloat, parameterNorm: SoftFloat, gradScale: SoftFloat) -> Decision {
  let maxNormBits = max_norm_bits();
  let bound = bound_for(Facts(norm, soft_float(maxNormBits), weight, parameterNorm)); // of 24 bits
  var divisor = sum(norm, SoftFloat(settings.epsMantissa, settings.epsExponent));
  var bounded = maxNormBits != INFINITY_BITS;
  //#if REMEMBERS
  bounded = bounded || exceeds(soft_float(INFINITY_BITS), bound);
  //#end
  var clipped = bounded && exceeds(divisor, bound);
  //#if NORMALIZES
  clipped = is_scaled(norm, bound, exactNorm, gradScale);
  //#end
  var scale = gradScale;
  if (clipped) {
    // Without totalNorm and eps, gradScale cancels out.
    let cancels = settings.totalNormIndex == NONE && settings.epsMantissa == 0u;
    if (cancels) {
      divisor = exactNorm;
    }
    scale = quotient(bound, divisor);
    if (!cancels) {
      scale = product(gradScale, scale);
    }
  }
  return decided(norm, scale, select(0u, CLIPPED, clipped), select(INFINITY_BITS, float_bits(bound), bounded));
}

fn decide(all: Partial, weight: SoftFloat, parameterNorm: SoftFloat) -> Decision {
  let factor = grad_scale_bits();
  let totalNorm = total_norm_bits();
  let flags = non_finite_flags(all, factor, totalNorm);
  //#if SKIPS
  if (isSpike) {
    return skipped(all, flags);
  }
  //#end
  if (flags != 0u) {
    return decide_non_finite(flags);
  }
  let gradScale = soft_float(factor);
  let exactNorm = norm_of(all);
  return decide_finite(norm_after(exactNorm, gradScale, totalNorm), exactNorm, weight, parameterNorm, gradScale);
}
