//#import format
//#import shared/entry
//#import shared/clipped
//#import shared/spans
//#import shared/targets
//#if EDGES
//#import shared/unaligned_targets
//#end

// The sum over the leading axis, after clipping: into[e] = sum of scale[m] * gradients[m][e] over the examples m. Examples
// lie one after the other; the sum goes into the first one's place or elsewhere. Each element is one lane's work, in the
// order of the examples, 16 at a time.

// Some examples of a gradient. Words and edges are those of the sum; the examples follow each other without a gap.
struct Segment {
  first: u32,    // first word of the first example, counted from the start of the binding
  count: u32,    // words of the sum
  tile: u32,     // the number of its first tile in the dispatch
  examples: u32, // how many
  into: u32,     // the first word of the sum, counted from the start of that binding
  slot: u32,     // which binding
  group: u32,    // which entry the first example has
  edges: u32,    // see shared/unaligned.wgsl
}

@group(1) @binding(1) var<storage, read> entries: array<Entry>;

const TOGETHER = 16u;

// A sum whose infinities and NaN are kept apart, because a shader may assume that there are none.
struct Total {
  value: f32,
  faults: u32, // 1 an infinity, 2 a negative one, 4 a NaN
}

fn added(total: Total, bits: u32) -> Total {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude < 0x7f800000u) {
    return Total(total.value + bitcast<f32>(bits), total.faults);
  }
  return Total(total.value, total.faults | select(1u + (bits >> 31u), 4u, magnitude > 0x7f800000u));
}

fn bits_of(total: Total) -> u32 {
  if (total.faults == 0u) {
    return bitcast<u32>(total.value);
  }
  return select(select(0x7fc00000u, 0xff800000u, total.faults == 2u), 0x7f800000u, total.faults == 1u);
}

fn clipped_example(bits: u32, example: u32) -> u32 {
  let entry = entries[example];
  return clipped_bits(bits, entry.scale, entry.flags);
}

//#if EDGES
// The element may share its word with the next example's first one, which another lane reads meanwhile: that half of the word
// does not change.
fn sum_edge(segment: Segment, lane: u32) {
  let half = edge_half(segment, lane);
  var total = Total();
  for (var m = 0u; m < segment.examples; m += 1u) {
    let at = half + m * example_elements(segment);
    let bits = element_of(word_of(segment.slot, at / 2u), at % 2u);
    total = added(total, clipped_example(bits, segment.group + m));
  }
  if (table.accumulates != 0u) {
    total = added(total, element_of(target_word(segment.slot, edge_word(segment, lane)), 1u - lane));
  }
  set_edge(segment, lane, bits_of(total));
}
//#end

fn example_elements(segment: Segment) -> u32 {
  var elements = ELEMENTS * segment.count;
  //#if EDGES
  elements += (segment.edges & FIRST_HALF) + (segment.edges & LAST_HALF) / LAST_HALF;
  //#end
  return elements;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;

  let start = first_segment(firstTile);

  //#if EDGES
  for (var s = start; is_met(s, endTile); s += 1u) {
    if (has_edge(segment_at(s), firstTile, lane)) {
      sum_edge(segment_at(s), lane);
    }
  }
  //#end
  var s = start;
  var slot = slot_met(s, endTile);
  // Repeated for every binding: a switch inside the loop over words costs 6 times the time (see README.md).
  //#for slot
  while (slot == SLOTu) {
    let segment = segment_at(s);
    let shift = segment.into - segment.first;
    let span = within(span_of(segment, firstTile, endTile), min(arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));
    let stride = example_elements(segment);
    var halfOff = 0u;
    //#if EDGES
    halfOff = segment.edges / HALF_OFF;
    //#end
    for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
      var total = array<Total, ELEMENTS>();
      if (table.accumulates != 0u) {
        for (var k = 0u; k < ELEMENTS; k += 1u) {
          total[k] = added(total[k], element_of(TARGET_SLOT[i + shift], k));
        }
      }
      for (var begin = 0u; begin < segment.examples; begin += TOGETHER) {
        var part = array<Total, ELEMENTS>();
        for (var m = begin; m < min(begin + TOGETHER, segment.examples); m += 1u) {
          let at = i * ELEMENTS + halfOff + m * stride;
          var word = gradients_SLOT[at / ELEMENTS];
          //#if EDGES
          if (at % ELEMENTS != 0u) {
            word = joined_halves(word, gradients_SLOT[at / ELEMENTS + 1u]);
          }
          //#end
          for (var k = 0u; k < ELEMENTS; k += 1u) {
            part[k] = added(part[k], clipped_example(element_of(word, k), segment.group + m));
          }
        }
        for (var k = 0u; k < ELEMENTS; k += 1u) {
          total[k] = Total(total[k].value + part[k].value, total[k].faults | part[k].faults);
        }
      }
      var summed = Word();
      for (var k = 0u; k < ELEMENTS; k += 1u) {
        summed = with_element(summed, k, bits_of(total[k]));
      }
      TARGET_SLOT[i + shift] = summed;
    }
    s += 1u;
    slot = slot_met(s, endTile);
  }
  //#end
}
