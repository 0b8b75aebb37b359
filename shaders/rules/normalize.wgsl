//#import shared/soft_float

// The bound is the length that every gradient gets, longer or shorter.
fn bound_for(facts: Facts) -> SoftFloat {
  return facts.maxNorm;
}

fn differs(a: SoftFloat, b: SoftFloat) -> bool {
  return exceeds(a, b) || exceeds(b, a);
}

// Whether the scale will differ from gradScale. A norm that differs from the length by its last bit can give the same scale.
fn is_scaled(norm: SoftFloat, bound: SoftFloat, exactNorm: SoftFloat, gradScale: SoftFloat) -> bool {
  return norm.mantissa != 0u && differs(norm, bound)
    && (settings.totalNormIndex != NONE || differs(rounded(quotient(bound, exactNorm)), gradScale));
}
