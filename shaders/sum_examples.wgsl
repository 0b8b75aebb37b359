//#import format
//#import shared/entry
//#import shared/clipped
//#import shared/multiplied
//#import shared/bits
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
const ONE_BITS = 0x3f800000u;
const INFINITY_BITS = 0x7f800000u;
const NONE = 0xffffffffu;
const SKIP = 2u;

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

fn bits_of_total(total: Total) -> u32 {
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
  set_edge(segment, lane, bits_of_total(total));
}
//#end

fn example_elements(segment: Segment) -> u32 {
  var elements = ELEMENTS * segment.count;
  //#if EDGES
  elements += (segment.edges & FIRST_HALF) + (segment.edges & LAST_HALF) / LAST_HALF;
  //#end
  return elements;
}

// Where example m's part of a word of the sum begins, in elements.
fn place_of(segment: Segment, i: u32, m: u32) -> u32 {
  var place = i * ELEMENTS + m * example_elements(segment);
  //#if EDGES
  place += segment.edges / HALF_OFF;
  //#end
  return place;
}

//#if EDGES
fn word_at(place: u32, word: Word, next: Word) -> Word {
  return select(word, joined_halves(word, next), place % 2u != 0u);
}
//#end

// Whether one float32 product for each value of an example is right: all are finite, and the scale is one factor up to 1.
fn is_plain(entry: Entry) -> bool {
  return (entry.flags & 12u) == 0u && entry.scale.y == ONE_BITS && entry.scale.x <= ONE_BITS;
}

// The words of a segment from `first` on, value by value.
fn sum_slowly(segment: Segment, first: u32, end: u32) {
  let shift = segment.into - segment.first;
  for (var i = first; i < end; i += WORKGROUP) {
    var total = array<Total, ELEMENTS>();
    if (table.accumulates != 0u) {
      let before = target_word(segment.slot, i + shift);
      for (var k = 0u; k < ELEMENTS; k += 1u) {
        total[k] = added(total[k], element_of(before, k));
      }
    }
    for (var begin = 0u; begin < segment.examples; begin += TOGETHER) {
      var part = array<Total, ELEMENTS>();
      for (var m = begin; m < min(begin + TOGETHER, segment.examples); m += 1u) {
        let at = place_of(segment, i, m);
        var word = word_of(segment.slot, at / ELEMENTS);
        //#if EDGES
        word = word_at(at, word, word_of(segment.slot, (at + 1u) / ELEMENTS));
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
      summed = with_element(summed, k, bits_of_total(total[k]));
    }
    set_word(segment.slot, i + shift, summed);
  }
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
  // The lane's first word that has an example which is not plain, or to which something infinite was added before.
  var rest = NONE;
  var restWord = 0u;
  var s = start;
  var slot = slot_met(s, endTile);
  // Repeated for every binding: a switch inside the loop over words costs 6 times the time (see README.md).
  //#for slot
  while (slot == SLOTu) {
    let segment = segment_at(s);
    let shift = segment.into - segment.first;
    let span = within(span_of(segment, firstTile, endTile), min(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));
    let stride = example_elements(segment);
    for (var i = span.begin + lane; i < span.end && rest == NONE; i += WORKGROUP) {
      var isPlain = true;
      var total = Values();
      var more = Values();
      if (table.accumulates != 0u) {
        let before = TARGET_SLOT[i + shift];
        isPlain = largest_of(magnitude(before)) < INFINITY_BITS;
        total = bitcast<Values>(bits_of(before));
        more = bitcast<Values>(more_bits_of(before));
      }
      var m = 0u;
      var at = place_of(segment, i, 0u);
      while (m < segment.examples && isPlain) {
        var part = Values();
        var morePart = Values();
        let end = min(m + TOGETHER, segment.examples);
        while (m < end) {
          // Four words are on their way at once.
          let atSecond = at + select(0u, stride, m + 1u < end);
          let atThird = atSecond + select(0u, stride, m + 2u < end);
          let atFourth = atThird + select(0u, stride, m + 3u < end);
          var word = read_SLOT(at / ELEMENTS);
          var second = read_SLOT(atSecond / ELEMENTS);
          var third = read_SLOT(atThird / ELEMENTS);
          var fourth = read_SLOT(atFourth / ELEMENTS);
          //#if EDGES
          word = word_at(at, word, read_SLOT((at + 1u) / ELEMENTS));
          second = word_at(atSecond, second, read_SLOT((atSecond + 1u) / ELEMENTS));
          third = word_at(atThird, third, read_SLOT((atThird + 1u) / ELEMENTS));
          fourth = word_at(atFourth, fourth, read_SLOT((atFourth + 1u) / ELEMENTS));
          //#end
          let stop = min(m + 4u, end);
          for (; m < stop; m += 1u) {
            let entry = entries[segment.group + m];
            if ((entry.flags & SKIP) == 0u) {
              isPlain = isPlain && is_plain(entry);
              let factor = bitcast<f32>(entry.scale.x);
              part += bitcast<Values>(multiplied(bits_of(word), factor, 0x800000u));
              morePart += bitcast<Values>(multiplied(more_bits_of(word), factor, 0x800000u));
            }
            word = second;
            second = third;
            third = fourth;
            at += stride;
          }
        }
        total += part;
        more += morePart;
      }
      if (isPlain) {
        TARGET_SLOT[i + shift] = word_with(bitcast<Word>(total), bitcast<Word>(more));
      } else {
        rest = s;
        restWord = i;
      }
    }
    s += 1u;
    slot = slot_met(s, endTile);
  }
  //#end
  for (s = rest; is_met(s, endTile); s += 1u) {
    let segment = segment_at(s);
    let span = span_of(segment, firstTile, endTile);
    sum_slowly(segment, select(span.begin + lane, restWord, s == rest), span.end);
  }
}
