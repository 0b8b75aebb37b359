//#import shared/wide

// What a workgroup found in its tiles, 32 bytes.
struct Partial {
  sum: Wide,         // of the terms
  largest: u32,      // bits of the largest magnitude
  nonFinite: u32,    // how many NaN and infinite values
  firstRank: u32,    // segment of the first of them, NONE without one
  firstElement: u32, // its element in that segment
  flags: u32,        // NAN_SEEN, INFINITY_SEEN; of groups that are decided and of clamp.wgsl also CLIPPED, SKIP
  unused: u32,
}

const NONE = 0xffffffffu;
const NAN_SEEN = 4u;
const INFINITY_SEEN = 8u;
const INFINITY_BITS = 0x7f800000u;

fn nothing() -> Partial {
  return Partial(Wide(0u, 0), 0u, 0u, NONE, NONE, 0u, 0u);
}

fn is_before(rank: u32, element: u32, otherRank: u32, otherElement: u32) -> bool {
  return rank < otherRank || (rank == otherRank && element < otherElement);
}

fn note_fault(mine: ptr<function, Partial>, bits: u32, rank: u32, element: u32) {
  (*mine).flags |= select(INFINITY_SEEN, NAN_SEEN, bits > INFINITY_BITS);
  (*mine).nonFinite += 1u;
  if (is_before(rank, element, (*mine).firstRank, (*mine).firstElement)) {
    (*mine).firstRank = rank;
    (*mine).firstElement = element;
  }
}

fn combined(a: Partial, b: Partial) -> Partial {
  let bFirst = is_before(b.firstRank, b.firstElement, a.firstRank, a.firstElement);
  return Partial(
    sum(a.sum, b.sum),
    max(a.largest, b.largest),
    a.nonFinite + b.nonFinite,
    select(a.firstRank, b.firstRank, bFirst),
    select(a.firstElement, b.firstElement, bFirst),
    a.flags | b.flags,
    0u,
  );
}
