// norm <= clipping * max(parameter norm, eps); maxNorm is the clipping, the weight is the eps.
fn bound_for(facts: Facts) -> Wide {
  var parameterNorm = rounded(facts.parameterNorm);
  if (exceeds(facts.weight, parameterNorm)) {
    parameterNorm = facts.weight;
  }
  return product(facts.maxNorm, parameterNorm);
}
