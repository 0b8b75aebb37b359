//#import shared/slots

// 16-bit gradients that begin or end in the middle of a 32-bit word: imported under `//#if EDGES`. Whole words are those of the
// destination. The half words before and behind them hold one element each, the edges of the segment; the other halves
// belong to others. The source may lie half a word off the destination: then `first` begins in the middle of a word.
// A segment's `edges` are:
const FIRST_HALF = 1u; // an element before the whole words
const LAST_HALF = 2u;  // an element behind them
const HALF_OFF = 4u;

// Whether the lane has an edge to look after: lane 0 before the whole words, lane 1 behind them.
fn has_edge(segment: Segment, firstTile: u32, lane: u32) -> bool {
  return segment.tile >= firstTile && lane < 2u && (segment.edges & (FIRST_HALF << lane)) != 0u;
}

// Where that element stands in the source, in half words from the start of the binding.
fn edge_half(segment: Segment, lane: u32) -> u32 {
  let first = 2u * segment.first + segment.edges / HALF_OFF;
  return select(first + 2u * segment.count, first - 1u, lane == 0u);
}

fn edge_bits(segment: Segment, lane: u32) -> u32 {
  let half = edge_half(segment, lane);
  return element_of(word_of(segment.slot, half / 2u), half % 2u);
}

// Its number in the segment.
fn edge_element(segment: Segment, lane: u32) -> u32 {
  return select((segment.edges & FIRST_HALF) + ELEMENTS * segment.count, 0u, lane == 0u);
}
