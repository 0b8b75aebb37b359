//#import shared/partial

// L1: the sum of magnitudes.
fn norm_of(all: Partial) -> SoftFloat {
  return narrow(all.sum);
}
