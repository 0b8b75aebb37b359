// Which words of which binding a dispatch works on. Tiles are numbered through all segments; a workgroup takes
// tilesPerWorkgroup of them in a row.
struct Segment {
  first: u32, // first word, counted from the start of the binding; in unit_norm.wgsl the first element
  count: u32, // words, or elements
  tile: u32,  // number of its first tile in the dispatch
  rank: u32,  // its place in the caller's order; in sum_examples.wgsl how many examples it has
  into: u32,  // the first word of its destination, counted from the start of that binding
  slot: u32,  // which binding
  group: u32, // which of the norms, where there are several
  edges: u32, // with 16-bit elements: FIRST_HALF, LAST_HALF, HALF_OFF
}

// The elements in the half words before and behind the whole ones; the other halves are not the segment's. Whole words
// are those of the destination: the source may lie half a word off them, then `first` begins in the middle of a word.
const FIRST_HALF = 1u;
const LAST_HALF = 2u;
const HALF_OFF = 4u;

struct Table {
  segmentCount: u32,
  tilesPerWorkgroup: u32,
  fresh: u32, // 1: earlier partials are overwritten, 0: they are added to
  power: u32, // the p of a norm that is not 1, 2 or infinity, in fixed point: see terms/power.wgsl
  firstPartial: u32,
  low: u32, // bits of the limits of clamp.wgsl
  high: u32,
  gradScaleIndex: u32, // word of its gradScaleSource, NONE without one
  segments: array<Segment, 240>,
}

const WORKGROUP = u32(WORKGROUP_SIZE);
const TILE = 4u * WORKGROUP; // words: four a lane

// The words of a segment that a workgroup works on.
struct Span {
  begin: u32,
  end: u32,
}

fn first_segment(tile: u32) -> u32 {
  var low = 0u;
  var high = table.segmentCount;
  while (low + 1u < high) {
    let middle = (low + high) / 2u;
    if (table.segments[middle].tile <= tile) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// Whether tiles of a segment come before the end of the workgroup's. Those of a binding stand together, so that each
// binding has a loop of its own, and all of them go through the segments once: a choice of the binding for each segment
// would cost devices that compute in vectors, with masks for branches, as many choices as there are bindings.
fn is_met(s: u32, endTile: u32) -> bool {
  return s < table.segmentCount && table.segments[s].tile < endTile;
}

const NO_SLOT = 0xffffffffu;

fn slot_met(s: u32, endTile: u32) -> u32 {
  if (is_met(s, endTile)) {
    return table.segments[s].slot;
  }
  return NO_SLOT;
}

fn span_of(segment: Segment, firstTile: u32, endTile: u32) -> Span {
  let skipped = max(firstTile, segment.tile) - segment.tile;
  let begin = min(skipped * TILE, segment.count);
  let end = min((endTile - segment.tile) * TILE, segment.count);
  return Span(segment.first + begin, segment.first + end);
}

// Whether the lane has an element at an edge to look after: lane 0 before the whole words, lane 1 behind them. What has
// to do with edges stands under `//#if EDGES` and is left out where a range has none.
fn has_edge(segment: Segment, firstTile: u32, lane: u32) -> bool {
  return segment.tile >= firstTile && lane < 2u && (segment.edges & (FIRST_HALF << lane)) != 0u;
}

// That element of the source, counted in half words from the start of the binding.
fn edge_half(segment: Segment, lane: u32) -> u32 {
  let first = 2u * segment.first + segment.edges / HALF_OFF;
  return select(first + 2u * segment.count, first - 1u, lane == 0u);
}

// Where the tiles that are whole end.
fn whole_end(begin: u32, end: u32) -> u32 {
  return begin + (end - begin) / TILE * TILE;
}
