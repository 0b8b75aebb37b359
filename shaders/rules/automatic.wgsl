//#import shared/soft_float

// Automatic clipping: the scale is weight * maxNorm / (norm + eps) for every norm.
fn bound_for(facts: Facts) -> SoftFloat {
  return product(facts.maxNorm, facts.weight);
}

fn is_scaled(norm: SoftFloat, bound: SoftFloat, exactNorm: SoftFloat, gradScale: SoftFloat) -> bool {
  return true;
}
