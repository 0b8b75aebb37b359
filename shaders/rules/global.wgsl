//#import shared/soft_float

// The bound is the caller's.
fn bound_for(facts: Facts) -> SoftFloat {
  return facts.maxNorm;
}
