// The bound is the caller's: scale = maxNorm / norm where norm > maxNorm.
fn bound_for(norm: Wide, maxNorm: Wide) -> Wide {
  return maxNorm;
}
