//#import shared/soft_float

// What a workgroup found in its tiles, 32 bytes.
struct Partial {
  sum: Sum,          // of the terms
  largest: u32,      // bits of the largest magnitude
  nonFinite: u32,    // how many NaN and infinite values
  firstPiece: u32,   // piece of the first of them, NONE without one
  firstElement: u32, // its element in that segment
  flags: u32,        // NAN_SEEN, INFINITY_SEEN; of groups that are decided and of clamp.wgsl also CLIPPED, SKIP
}

const NONE = 0xffffffffu;
const NAN_SEEN = 4u;
const INFINITY_SEEN = 8u;
const INFINITY_BITS = 0x7f800000u;

fn nothing() -> Partial {
  return Partial(Sum(), 0u, 0u, NONE, NONE, 0u);
}

fn is_before(piece: u32, element: u32, otherPiece: u32, otherElement: u32) -> bool {
  return piece < otherPiece || (piece == otherPiece && element < otherElement);
}

fn note_fault(mine: ptr<function, Partial>, bits: u32, piece: u32, element: u32) {
  (*mine).flags |= select(INFINITY_SEEN, NAN_SEEN, bits > INFINITY_BITS);
  (*mine).nonFinite += 1u;
  if (is_before(piece, element, (*mine).firstPiece, (*mine).firstElement)) {
    (*mine).firstPiece = piece;
    (*mine).firstElement = element;
  }
}

fn combined(a: Partial, b: Partial) -> Partial {
  let bFirst = is_before(b.firstPiece, b.firstElement, a.firstPiece, a.firstElement);
  return Partial(
    added(a.sum, b.sum),
    max(a.largest, b.largest),
    a.nonFinite + b.nonFinite,
    select(a.firstPiece, b.firstPiece, bFirst),
    select(a.firstElement, b.firstElement, bFirst),
    a.flags | b.flags,
  );
}
