// The verdict of a skip rule on a step, once, before anything is decided.

var<private> isSpike: bool; // in lane 0

// All lanes call this; `all` is what was found.
fn judge(all: Partial, lane: u32) {
  prepare_skip(lane);
  var judged = all; // what is scaled
  //#if IN_PART
  judged = folded(found_from(settings.firstPartial + settings.partialCount, lane), lane, WORKGROUP, WORKGROUP);
  //#end
  if (lane == 0u) {
    let gradScale = grad_scale_bits();
    let totalNorm = total_norm_bits();
    let isFinite = non_finite_flags(judged, gradScale, totalNorm) == 0u;
    var norm = SoftFloat();
    if (isFinite) {
      norm = norm_after(norm_of(judged), soft_float(gradScale), totalNorm);
    }
    isSpike = is_spike(norm, isFinite);
  }
}

// A spike. The method's rule is not asked, so that its memory stays as it is.
fn skipped(all: Partial, flags: u32) -> Decision {
  var decision = decide_non_finite(flags);
  if (flags == 0u) {
    let norm = norm_after(norm_of(all), soft_float(grad_scale_bits()), total_norm_bits());
    decision = decided(norm, SoftFloat(), 0u, max_norm_bits());
  }
  decision.scale = vec2u(0u, ONE_BITS);
  decision.flags |= SKIP | SPIKE;
  return decision;
}
