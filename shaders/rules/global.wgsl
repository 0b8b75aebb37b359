//#import shared/wide

// The bound is the caller's.
fn bound_for(facts: Facts) -> Wide {
  return facts.maxNorm;
}
