//#import format
//#import shared/segment
//#import shared/spans
//#import shared/targets
//#import shared/clipped
//#import scales
//#if EDGES
//#import shared/unaligned_targets
//#end

// Pass 3: gradient = scale * gradient, in place or into another buffer. In place with a scale of 1 it leaves at once.

const ONE_BITS = 0x3f800000u;

struct Scaling {
  scale: vec2u, // bits of two factors
  flags: u32,
}

// What is to be done with the words of a segment.
const LEAVE = 0u;
const COPY = 1u;
const FAST = 2u;  // one float32 product for each value
const EXACT = 3u; // value by value on the bits: NaN, infinities and subnormal values count

var<private> isKept: bool; // keeps_values(), asked once

fn work_of(scaling: Scaling) -> u32 {
  if (scaling.scale.x == ONE_BITS && scaling.scale.y == ONE_BITS) {
    return select(COPY, LEAVE, IN_PLACE);
  }
  // The usual case: nothing is non-finite, and one factor below 1. Then no subnormal value can matter.
  let isFast = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS && isKept;
  return select(EXACT, FAST, isFast);
}

fn fast_word(word: Word, factor: f32, work: u32) -> Word {
  return select(scaled_word(word, factor), word, work == COPY && !IN_PLACE);
}

// Whether the fast loop writes the words of a segment.
fn is_fast(s: u32, work: u32) -> bool {
  var fast = work == COPY || work == FAST;
  //#if EDGES
  fast = fast && (segment_at(s).edges & HALF_OFF) == 0u;
  //#end
  //#if UNITS
  fast = fast && !has_units(s);
  //#end
  return fast;
}

// Whether the fast loop leaves something of a segment.
fn is_slow(s: u32) -> bool {
  var slow = work_of(segment_scaling(s)) == EXACT;
  //#if EDGES
  slow = slow || segment_at(s).edges != 0u;
  //#end
  //#if UNITS
  slow = slow || has_units(s);
  //#end
  return slow;
}

fn next_slow(start: u32, endTile: u32) -> u32 {
  var s = start;
  while (is_met(s, endTile) && !is_slow(s)) {
    s += 1u;
  }
  return s;
}

// What the fast loop leaves of a segment.
fn scale_slowly(s: u32, firstTile: u32, endTile: u32, lane: u32) {
  let segment = segment_at(s);
  let span = span_of(segment, firstTile, endTile);
  let shift = segment.into - segment.first; // wraps around where it is negative
  var isHalfOff = false;
  //#if EDGES
  isHalfOff = (segment.edges & HALF_OFF) != 0u;
  if (has_edge(segment, firstTile, lane)) {
    var scaling = segment_scaling(s);
    //#if UNITS
    scaling = element_scaling(s, edge_element(segment, lane));
    //#end
    if (work_of(scaling) != LEAVE) {
      set_edge(segment, lane, clipped_bits(edge_bits(segment, lane), scaling.scale, scaling.flags));
    }
  }
  //#end
  //#if UNITS
  if (has_units(s)) {
    scale_units(s, span, lane);
    return;
  }
  //#end
  let scaling = segment_scaling(s);
  if (work_of(scaling) == EXACT || isHalfOff) {
    for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
      var word = word_of(segment.slot, i);
      //#if EDGES
      if (isHalfOff) {
        word = joined_halves(word, word_of(segment.slot, i + 1u));
      }
      //#end
      // Counted so that RADV does not repeat it: see shared/fold.wgsl.
      for (var k = 0u; k < ELEMENTS; k = (k + 1u) % 16u) {
        word = with_element(word, k, clipped_bits(element_of(word, k), scaling.scale, scaling.flags));
      }
      set_word(segment.slot, i + shift, word);
    }
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  isKept = keeps_values();
  if (is_untouched()) {
    return;
  }
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  let start = first_segment(firstTile);

  var slow = next_slow(start, endTile);
  while (is_met(slow, endTile)) {
    scale_slowly(slow, firstTile, endTile, lane);
    slow = next_slow(slow + 1u, endTile);
  }

  var s = start;
  var slot = slot_met(s, endTile);
  // Repeated for every binding: a switch inside the loop over words costs 6 times the time (see README.md).
  //#for slot
  while (slot == SLOTu) {
    let segment = segment_at(s);
    let scaling = segment_scaling(s);
    let work = work_of(scaling);
    let shift = segment.into - segment.first;
    var span = within(span_of(segment, firstTile, endTile), min(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));
    if (!is_fast(s, work)) {
      span.end = span.begin;
    }
    let factor = bitcast<f32>(scaling.scale.x);
    let wholeEnd = whole_end(span.begin, span.end);
    var i = span.begin + lane;
    // Of whole tiles, four words are on their way at once.
    //#if PACKED
    // What becomes of a word is long, so it stands here once.
    while (i < span.end) {
      var word = read_SLOT(i);
      var second = word;
      var third = word;
      var fourth = word;
      var stop = i + WORKGROUP;
      if (i < wholeEnd) {
        second = read_SLOT(i + WORKGROUP);
        third = read_SLOT(i + 2u * WORKGROUP);
        fourth = read_SLOT(i + 3u * WORKGROUP);
        stop = i + TILE;
      }
      for (; i < stop; i += WORKGROUP) {
        TARGET_SLOT[i + shift] = fast_word(word, factor, work);
        if (i + WORKGROUP < stop) {
          i += WORKGROUP;
          TARGET_SLOT[i + shift] = fast_word(second, factor, work);
        }
        word = third;
        second = fourth;
      }
    }
    //#end
    //#if UNPACKED
    for (; i < wholeEnd; i += TILE) {
      let a = read_SLOT(i);
      let b = read_SLOT(i + WORKGROUP);
      let c = read_SLOT(i + 2u * WORKGROUP);
      let d = read_SLOT(i + 3u * WORKGROUP);
      TARGET_SLOT[i + shift] = fast_word(a, factor, work);
      TARGET_SLOT[i + shift + WORKGROUP] = fast_word(b, factor, work);
      TARGET_SLOT[i + shift + 2u * WORKGROUP] = fast_word(c, factor, work);
      TARGET_SLOT[i + shift + 3u * WORKGROUP] = fast_word(d, factor, work);
    }
    for (; i < span.end; i += WORKGROUP) {
      TARGET_SLOT[i + shift] = fast_word(read_SLOT(i), factor, work);
    }
    //#end
    s += 1u;
    slot = slot_met(s, endTile);
  }
  //#end
}
