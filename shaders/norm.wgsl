//#import format
//#import shared/segments
//#import shared/slots
//#import shared/careful

// Pass 1: partials[w] = the sum of terms (x^2, |x|, ...), the largest magnitude and the non-finite values of workgroup
// w's tiles.
// Reads every gradient once; everything is decided on the integer bits, because a shader may assume that no NaN exists.

@group(1) @binding(0) var<uniform> table: Table;
@group(1) @binding(1) var<storage, read_write> partials: array<Partial>;

// Long plain float32 sums lose digits: a lane adds up short stretches, and the sum of those has 32 bits.
const STRETCH = 8u * TILE;
// The same with care.
const ROUND = 256u * TILE;

var<workgroup> found: array<Partial, WORKGROUP_SIZE>;

fn word_terms(word: Word) -> Values {
  var terms = plain_terms(values_of(word));
  if (PACKED) {
    terms += plain_terms(more_values_of(word));
  }
  return terms;
}

fn edge_bits(segment: Segment, lane: u32) -> u32 {
  let half = edge_half(segment, lane);
  return element_of(word_of(segment.slot, half / 2u), half % 2u) & 0x7fffffffu;
}

// The lane's words once more, value by value: only where they hold something out of the ordinary.
fn add_with_care(mine: ptr<function, Partial>, firstTile: u32, endTile: u32, lane: u32) {
  for (var s = first_segment(firstTile); is_met(s, endTile); s += 1u) {
    let segment = table.segments[s];
    let span = span_of(segment, firstTile, endTile);
    let halvesBefore = segment.edges & FIRST_HALF;
    //#if EDGES
    if (has_edge(segment, firstTile, lane)) {
      let element = select(halvesBefore + ELEMENTS * segment.count, 0u, lane == 0u);
      (*mine).sum = sum((*mine).sum, careful_sum(mine, edge_bits(segment, lane), segment.rank, element));
    }
    //#end
    for (var begin = span.begin; begin < span.end; begin += ROUND) {
      let end = min(begin + ROUND, span.end);
      var round = Wide(0u, 0);
      for (var i = begin + lane; i < end; i += WORKGROUP) {
        let word = word_of(segment.slot, i);
        for (var k = 0u; k < ELEMENTS; k += 1u) {
          let bits = element_of(word, k) & 0x7fffffffu;
          let element = halvesBefore + (i - segment.first) * ELEMENTS + k;
          round = sum(round, careful_sum(mine, bits, segment.rank, element));
        }
      }
      (*mine).sum = sum((*mine).sum, round);
    }
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  var total = Wide(0u, 0);
  var largest = Word();
  var atEdge = 0u; // bits of the largest magnitude there

  var s = select(first_segment(firstTile), table.segmentCount, CAREFUL_ONLY);
  //#if EDGES
  for (var e = s; is_met(e, endTile); e += 1u) {
    let segment = table.segments[e];
    if (has_edge(segment, firstTile, lane)) {
      let bits = edge_bits(segment, lane);
      atEdge = max(atEdge, bits);
      let terms = plain_terms(Values(bitcast<f32>(bits)));
      total = sum(total, wide(bitcast<u32>(sum_of(terms))));
    }
  }
  //#end
  var slot = slot_met(s, endTile);
  //#for slot
  while (slot == SLOTu) {
    let span = span_of(table.segments[s], firstTile, endTile);
    let wholeEnd = whole_end(span.begin, span.end);
    var i = span.begin + lane;
    while (i < wholeEnd) {
      let stop = min(i + STRETCH, wholeEnd);
      var stretch = Values();
      for (; i < stop; i += TILE) {
        let a = gradients_SLOT[i];
        let b = gradients_SLOT[i + WORKGROUP];
        let c = gradients_SLOT[i + 2u * WORKGROUP];
        let d = gradients_SLOT[i + 3u * WORKGROUP];
        largest = max(largest, max(max(magnitude(a), magnitude(b)), max(magnitude(c), magnitude(d))));
        stretch += (word_terms(a) + word_terms(b)) + (word_terms(c) + word_terms(d));
      }
      total = sum(total, wide(bitcast<u32>(sum_of(stretch))));
    }
    var rest = Values();
    for (; i < span.end; i += WORKGROUP) {
      let a = gradients_SLOT[i];
      largest = max(largest, magnitude(a));
      rest += word_terms(a);
    }
    total = sum(total, wide(bitcast<u32>(sum_of(rest))));
    s += 1u;
    slot = slot_met(s, endTile);
  }
  //#end
  var mine = nothing();
  mine.sum = total;
  mine.largest = max(atEdge, largest_of(largest));
  if (needs_care(mine.largest)) {
    mine.sum = Wide(0u, 0);
    add_with_care(&mine, firstTile, endTile, lane);
  }

  found[lane] = mine;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      found[lane] = combined(found[lane], found[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    var all = found[0];
    let at = table.firstPartial + workgroup.x;
    if (table.fresh == 0u) {
      all = combined(partials[at], all);
    }
    partials[at] = all;
  }
}
