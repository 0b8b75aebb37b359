// The verdict of a skip rule on a step, once, before anything is decided: `all` is what is scaled.

fn judge(all: Partial) -> bool {
  let gradScale = grad_scale_bits();
  let totalNorm = total_norm_bits();
  if (non_finite_flags(all, gradScale, totalNorm) != 0u) {
    return is_spike(SoftFloat(), false);
  }
  return is_spike(norm_after(norm_of(all), soft_float(gradScale), totalNorm), true);
}
