//#import shared/wide

// The root mean square is at most maxNorm: norm <= maxNorm * sqrt(number of values).
fn bound_for(facts: Facts) -> Wide {
  return product(facts.maxNorm, facts.weight);
}
