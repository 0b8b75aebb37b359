// Which words of which binding a dispatch works on. Tiles are numbered through all segments, in slot order;
// a workgroup takes tilesPerWorkgroup of them in a row.
struct Segment {
  first: u32, // first word, counted from the start of the binding
  count: u32, // words
  tile: u32,  // number of its first tile in the dispatch
  rank: u32,  // its place in the caller's order
  into: u32,  // the first word of its destination, counted from the start of that binding
  unused0: u32,
  unused1: u32,
  unused2: u32,
}

struct Table {
  segmentCount: u32,
  tilesPerWorkgroup: u32,
  fresh: u32, // 1: earlier partials are overwritten, 0: they are added to
  unused: u32,
  slotEnds: array<vec4u, 4>, // per slot, the number of the first segment that is not in it
  segments: array<Segment, 240>,
}

const WORKGROUP = 256u;
const TILE = 1024u; // words: four a lane

// The words of one segment that one workgroup works on, as seen by one lane.
struct Span {
  at: u32,   // the lane's first word
  wholeEnd: u32, // as long as at is below this, the words at, at + 256, at + 512 and at + 768 all belong to the span
  end: u32,
}

fn slot_end(slot: u32) -> u32 {
  return table.slotEnds[slot / 4u][slot % 4u];
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

fn span_of(segment: Segment, firstTile: u32, endTile: u32, lane: u32) -> Span {
  let from = max(firstTile, segment.tile) - segment.tile;
  let to = endTile - segment.tile;
  let begin = min(from * TILE, segment.count);
  // A tile count past the segment's end cannot overflow: segments have at most 2^28 words.
  let end = min(to * TILE, segment.count);
  let wholeEnd = begin + (end - begin) / TILE * TILE;
  return Span(segment.first + begin + lane, segment.first + wholeEnd, segment.first + end);
}
