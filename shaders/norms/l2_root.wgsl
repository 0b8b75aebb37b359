//#import shared/partial

// L2: the square root of the sum of squares.
fn norm_of(all: Partial) -> SoftFloat {
  return root(narrow(all.sum));
}
