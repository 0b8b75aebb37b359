//#import format
//#import shared/segment
//#import shared/spans
//#import shared/store
//#import shared/slots
//#import shared/exact

// Pass 1: partials[w] = the sum of terms (x^2, |x|, ...), the largest magnitude and the non-finite values of workgroup
// w's tiles. Every gradient is read once. Everything is decided on integer bits, because a compiler may assume that no value
// is a NaN.

// Long float32 sums lose digits. So a lane sums short stretches in float32, and their sums with 63 bits. Of equal
// values, of which all rounding errors have the same sign, sums of four are exact.
const STRETCH = 4u * TILE;

fn word_terms(word: Word) -> Values {
  return fast_terms(values_of(word)) + fast_terms(more_values_of(word));
}

// The lane's words once more, value by value.
fn add_exactly(mine: ptr<function, Partial>, firstTile: u32, endTile: u32, lane: u32) {
  for (var s = first_segment(firstTile); is_met(s, endTile); s += 1u) {
    let segment = segment_at(s);
    let span = span_of(segment, firstTile, endTile);
    //#if EDGES
    if (has_edge(segment, firstTile, lane)) {
      let bits = edge_bits(segment, lane) & 0x7fffffffu;
      let term = counted_term(mine, bits, segment.piece, edge_element(segment, lane));
      (*mine).sum = added((*mine).sum, wide(term));
    }
    //#end
    for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
      let word = word_of(segment.slot, i);
      // Counted so that RADV does not repeat it: see shared/fold.wgsl.
      for (var k = 0u; k < ELEMENTS; k = (k + 1u) % 16u) {
        let bits = element_of(word, k) & 0x7fffffffu;
        let term = counted_term(mine, bits, segment.piece, element_number(segment, i) + k);
        (*mine).sum = added((*mine).sum, wide(term));
      }
    }
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  var total = Sum();
  var largest = Word();
  var atEdge = 0u; // bits of the largest magnitude there

  var s = select(first_segment(firstTile), table.segmentCount, EXACT_ONLY);
  //#if EDGES
  for (var e = s; is_met(e, endTile); e += 1u) {
    let segment = segment_at(e);
    if (has_edge(segment, firstTile, lane)) {
      let bits = edge_bits(segment, lane) & 0x7fffffffu;
      atEdge = max(atEdge, bits);
      total = added(total, wide(exact_term(bits)));
    }
  }
  //#end
  var slot = slot_met(s, endTile);
  // Repeated for every binding: a switch inside the loop over words costs 6 times the time (see README.md).
  //#for slot
  while (slot == SLOTu) {
    let span = within(span_of(segment_at(s), firstTile, endTile), arrayLength(&gradients_SLOT));
    let wholeEnd = whole_end(span.begin, span.end);
    var i = span.begin + lane;
    while (i < span.end) {
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
      var rest = Values();
      for (; i >= wholeEnd && i < span.end; i += WORKGROUP) {
        let a = gradients_SLOT[i];
        largest = max(largest, magnitude(a));
        rest += word_terms(a);
      }
      total = added(total, wide_sum(stretch + rest));
    }
    s += 1u;
    slot = slot_met(s, endTile);
  }
  //#end
  var mine = nothing();
  mine.sum = total;
  mine.largest = max(atEdge, largest_of(largest));
  if (needs_exact(mine.largest) || !keeps_values()) {
    mine.sum = Sum();
    add_exactly(&mine, firstTile, endTile, lane);
  }
  let all = folded(mine, lane, WORKGROUP, WORKGROUP);
  if (lane == 0u) {
    store(all, workgroup.x);
  }
}
