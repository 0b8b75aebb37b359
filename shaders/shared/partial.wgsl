// What a workgroup found in its tiles, 32 bytes. The sum of squares is kept as three sums, so that no square leaves
// float32: sum = big * 2^180 + middle + small * 2^-192.
struct Partial {
  big: f32,
  middle: f32,
  small: f32,
  largest: u32,      // bits of the largest magnitude
  nonFinite: u32,    // how many NaN and infinite values
  firstRank: u32,    // segment of the first of them, NONE without one
  firstElement: u32, // its element in that segment
  flags: u32,        // NAN_SEEN, INFINITY_SEEN
}

const NONE = 0xffffffffu;
const NAN_SEEN = 4u;
const INFINITY_SEEN = 8u;
const INFINITY_BITS = 0x7f800000u;

fn nothing() -> Partial {
  return Partial(0.0, 0.0, 0.0, 0u, 0u, NONE, NONE, 0u);
}

fn is_before(rank: u32, element: u32, otherRank: u32, otherElement: u32) -> bool {
  return rank < otherRank || (rank == otherRank && element < otherElement);
}

fn combined(a: Partial, b: Partial) -> Partial {
  let bFirst = is_before(b.firstRank, b.firstElement, a.firstRank, a.firstElement);
  return Partial(
    a.big + b.big,
    a.middle + b.middle,
    a.small + b.small,
    max(a.largest, b.largest),
    a.nonFinite + b.nonFinite,
    select(a.firstRank, b.firstRank, bFirst),
    select(a.firstElement, b.firstElement, bFirst),
    a.flags | b.flags,
  );
}
