// Pass 1: partials[w] = the sum of terms (x^2, |x|, ...), the largest magnitude and the non-finite values of workgroup
// w's tiles.
// Reads every gradient once; everything is decided on the integer bits, because a shader may assume that no NaN exists.

#slots
@group(0) @binding(SLOT) var<storage, read> gradients_SLOT: array<Word>;
#end
@group(1) @binding(0) var<uniform> table: Table;
@group(1) @binding(1) var<storage, read_write> partials: array<Partial>;

var<workgroup> found: array<Partial, 64>;

fn word_of(slot: u32, i: u32) -> Word {
  switch (slot) {
    #slots
    case SLOTu: { return gradients_SLOT[i]; }
    #end
    default: { return Word(); }
  }
}

// The lane's words once more, value by value: only where they hold something out of the ordinary.
fn add_with_care(mine: ptr<function, Partial>, firstTile: u32, endTile: u32, lane: u32) {
  for (var s = first_segment(firstTile); s < table.segmentCount && table.segments[s].tile < endTile; s += 1u) {
    let segment = table.segments[s];
    let span = span_of(segment, firstTile, endTile);
    for (var begin = span.begin; begin < span.end; begin += ROUND) {
      let end = min(begin + ROUND, span.end);
      var round = Wide(0u, 0);
      for (var i = begin + lane; i < end; i += WORKGROUP) {
        let word = word_of(segment.slot, i);
        for (var k = 0u; k < ELEMENTS; k += 1u) {
          let bits = element_of(word, k) & 0x7fffffffu;
          (*mine).largest = max((*mine).largest, bits);
          if (bits >= INFINITY_BITS) {
            note_fault(mine, bits, segment.rank, (i - segment.first) * ELEMENTS + k);
          } else {
            round = sum(round, careful_term(bits));
          }
        }
      }
      (*mine).sum = sum((*mine).sum, round);
    }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  var mine = nothing();
  var largest = Word();

  var s = select(first_segment(firstTile), table.segmentCount, CAREFUL_ONLY);
  for (; s < table.segmentCount && table.segments[s].tile < endTile; s += 1u) {
    let segment = table.segments[s];
    let span = span_of(segment, firstTile, endTile);
    for (var begin = span.begin; begin < span.end; begin += ROUND) {
      let end = min(begin + ROUND, span.end);
      let wholeEnd = whole_end(begin, end);
      var i = begin + lane;
      // Long plain float32 sums lose digits: a round is short, and the sum of the rounds has 32 bits.
      var round = Values();
      switch (segment.slot) {
        #slots
        case SLOTu: {
          for (; i < wholeEnd; i += TILE) {
            let a = gradients_SLOT[i];
            let b = gradients_SLOT[i + WORKGROUP];
            let c = gradients_SLOT[i + 2u * WORKGROUP];
            let d = gradients_SLOT[i + 3u * WORKGROUP];
            largest = max(largest, max(max(magnitude(a), magnitude(b)), max(magnitude(c), magnitude(d))));
            round += (plain_terms(values_of(a)) + plain_terms(values_of(b)))
              + (plain_terms(values_of(c)) + plain_terms(values_of(d)));
          }
          for (; i < end; i += WORKGROUP) {
            let a = gradients_SLOT[i];
            largest = max(largest, magnitude(a));
            round += plain_terms(values_of(a));
          }
        }
        #end
        default: {}
      }
      mine.sum = sum(mine.sum, wide(bitcast<u32>(sum_of(round))));
    }
  }
  mine.largest = largest_of(largest);
  if (CAREFUL_ONLY || (mine.largest != 0u && (mine.largest < PLAIN_FROM || mine.largest >= PLAIN_BELOW))) {
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
    if (table.fresh == 0u) {
      all = combined(partials[workgroup.x], all);
    }
    partials[workgroup.x] = all;
  }
}
