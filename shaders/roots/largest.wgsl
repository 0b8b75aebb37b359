//#import shared/partial

// L-infinity: the largest magnitude.
fn norm_of(all: Partial) -> Wide {
  return wide(all.largest);
}
