//#import format
//#import shared/segments
//#import shared/special

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

fn plain_word(word: Word, factor: f32, copies: bool) -> Word {
  return select(scaled_word(word, factor), word, copies && !IN_PLACE);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  if (is_untouched()) {
    return;
  }
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  let start = first_segment(firstTile);

  var special = next_special(start, endTile);
  while (is_met(special, endTile)) {
    write_special(special, firstTile, endTile, lane);
    special = next_special(special + 1u, endTile);
  }

  var s = start;
  var slot = slot_met(s, endTile);
  //#for slot
  while (slot == SLOTu) {
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
    s += 1u;
    slot = slot_met(s, endTile);
  }
  //#end
}
