//#import shared/partial

// L-infinity: the largest magnitude.
fn norm_of(all: Partial) -> SoftFloat {
  return soft_float(all.largest);
}
