//#import shared/soft_float

// The bound is maxNorm times the norm of the parameter, or times eps where that is smaller.
fn bound_for(facts: Facts) -> SoftFloat {
  if (exceeds(facts.weight, rounded(facts.parameterNorm))) {
    return product(facts.maxNorm, facts.weight);
  }
  return product(facts.maxNorm, rounded(facts.parameterNorm));
}
