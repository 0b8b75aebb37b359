//#import shared/soft_float

// The root mean square is at most maxNorm: norm <= maxNorm * sqrt(number of values).
fn bound_for(facts: Facts) -> SoftFloat {
  return product(facts.maxNorm, facts.weight);
}
