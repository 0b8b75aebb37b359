// Pass 3: gradient = scale * gradient, in place or into another buffer. In place with a scale of 1 it leaves at once.

@group(1) @binding(0) var<uniform> table: Table;

const ONE_BITS = 0x3f800000u;

struct Scaling {
  scale: vec2u, // bits of two factors
  flags: u32,
}

const LEAVE = 0u;
const COPY = 1u;
const SHRINK = 2u;
const CARE = 3u;

fn work_of(scaling: Scaling) -> u32 {
  if (scaling.scale.x == ONE_BITS && scaling.scale.y == ONE_BITS) {
    return select(COPY, LEAVE, IN_PLACE);
  }
  // The usual case: nothing non-finite, one factor, and it shrinks, so that no subnormal value can matter.
  let plain = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS;
  return select(CARE, SHRINK, plain);
}

fn clipped_word(word: Word, scaling: Scaling) -> Word {
  var changed = word;
  for (var k = 0u; k < ELEMENTS; k += 1u) {
    changed = with_element(changed, k, clipped_bits(element_of(word, k), scaling.scale, scaling.flags));
  }
  return changed;
}

fn plain_word(word: Word, factor: f32, copies: bool) -> Word {
  if (IN_PLACE) {
    return scaled_word(word, factor);
  }
  return select(scaled_word(word, factor), word, copies);
}

fn write_edge(s: u32, lane: u32) {
  let segment = table.segments[s];
  let element = select((segment.edges & FIRST_HALF) + ELEMENTS * segment.count, 0u, lane == 0u);
  let scaling = scaling_of(s, element);
  if (work_of(scaling) != LEAVE) {
    let half = edge_half(segment, lane);
    let bits = element_of(word_of(segment.slot, half / 2u), half % 2u);
    set_edge(segment, lane, clipped_bits(bits, scaling.scale, scaling.flags));
  }
}

// Whether more is to do with a segment than to shrink or copy words.
fn is_special(s: u32) -> bool {
  return table.segments[s].edges != 0u || has_units(s) || work_of(scaling_of(s, 0u)) == CARE;
}

fn next_special(start: u32, endTile: u32) -> u32 {
  var s = start;
  while (is_met(s, endTile) && !is_special(s)) {
    s += 1u;
  }
  return s;
}

fn write_special(s: u32, firstTile: u32, endTile: u32, lane: u32) {
  let segment = table.segments[s];
  let span = span_of(segment, firstTile, endTile);
  let shift = segment.into - segment.first; // wraps around where it is negative
  #edges
  if (has_edge(segment, firstTile, lane)) {
    write_edge(s, lane);
  }
  #end
  if (has_units(s)) {
    scale_units(s, span, lane);
    return;
  }
  let scaling = scaling_of(s, 0u);
  let work = work_of(scaling);
  #edges
  if ((segment.edges & HALF_OFF) != 0u && work != LEAVE) {
    for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
      set_word(segment.slot, i + shift, clipped_word(half_off_word(segment.slot, i), scaling));
    }
    return;
  }
  #end
  if (work == CARE) {
    for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
      set_word(segment.slot, i + shift, clipped_word(word_of(segment.slot, i), scaling));
    }
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  let start = first_segment(firstTile);

  var special = next_special(start, endTile);
  while (is_met(special, endTile)) {
    write_special(special, firstTile, endTile, lane);
    special = next_special(special + 1u, endTile);
  }

  var s = start;
  #slots
  for (; is_met_in(SLOTu, s, endTile); s += 1u) {
    let segment = table.segments[s];
    let scaling = scaling_of(s, 0u);
    let work = work_of(scaling);
    var span = span_of(segment, firstTile, endTile);
    if (has_units(s) || (segment.edges & HALF_OFF) != 0u || work == LEAVE || work == CARE) {
      span.end = span.begin;
    }
    let shift = segment.into - segment.first;
    let factor = bitcast<f32>(scaling.scale.x);
    let wholeEnd = whole_end(span.begin, span.end);
    var i = span.begin + lane;
    for (; i < wholeEnd; i += TILE) {
      let a = gradients_SLOT[i];
      let b = gradients_SLOT[i + WORKGROUP];
      let c = gradients_SLOT[i + 2u * WORKGROUP];
      let d = gradients_SLOT[i + 3u * WORKGROUP];
      TARGET_SLOT[i + shift] = plain_word(a, factor, work == COPY);
      TARGET_SLOT[i + shift + WORKGROUP] = plain_word(b, factor, work == COPY);
      TARGET_SLOT[i + shift + 2u * WORKGROUP] = plain_word(c, factor, work == COPY);
      TARGET_SLOT[i + shift + 3u * WORKGROUP] = plain_word(d, factor, work == COPY);
    }
    for (; i < span.end; i += WORKGROUP) {
      TARGET_SLOT[i + shift] = plain_word(gradients_SLOT[i], factor, work == COPY);
    }
  }
  #end
}
