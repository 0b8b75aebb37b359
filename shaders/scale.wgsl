// Pass 3: gradient = scale * gradient, in place or into another buffer. In place with a scale of 1 it leaves at once.

#slots
@group(0) @binding(SLOT) var<storage, ACCESS> gradients_SLOT: array<Word>;
#end
#into-slots
@group(0) @binding(INTO) var<storage, read_write> into_SLOT: array<Word>;
#end
@group(1) @binding(0) var<uniform> table: Table;
@group(1) @binding(1) var<uniform> record: ClipRecord;

const ONE_BITS = 0x3f800000u;

var<private> plain: bool;
var<private> factor: f32;

fn each_clipped(word: Word) -> Word {
  var changed = word;
  for (var lane = 0u; lane < LANES; lane += 1u) {
    changed = with_lane(changed, lane, clipped_bits(lane_of(word, lane), record));
  }
  return changed;
}

fn clipped_word(word: Word) -> Word {
  if (plain) {
    return bitcast<Word>(bitcast<Values>(word) * factor);
  }
  return each_clipped(word);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unchanged = record.scale.x == ONE_BITS && record.scale.y == ONE_BITS;
  if (unchanged && IN_PLACE) {
    return;
  }
  // The usual case: nothing non-finite, one factor, and it shrinks, so that no subnormal value can matter.
  plain = (record.flags & 14u) == 0u && record.scale.y == ONE_BITS && record.scale.x < ONE_BITS;
  factor = bitcast<f32>(record.scale.x);
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  var s = first_segment(firstTile);

  #slots
  for (; s < slot_end(SLOTu) && table.segments[s].tile < endTile; s += 1u) {
    let segment = table.segments[s];
    let span = span_of(segment, firstTile, endTile, lane);
    let move = segment.into - segment.first; // wraps around where it is negative
    var i = span.at;
    for (; i < span.wholeEnd; i += TILE) {
      let a = gradients_SLOT[i];
      let b = gradients_SLOT[i + WORKGROUP];
      let c = gradients_SLOT[i + 2u * WORKGROUP];
      let d = gradients_SLOT[i + 3u * WORKGROUP];
      TARGET_SLOT[i + move] = clipped_word(a);
      TARGET_SLOT[i + move + WORKGROUP] = clipped_word(b);
      TARGET_SLOT[i + move + 2u * WORKGROUP] = clipped_word(c);
      TARGET_SLOT[i + move + 3u * WORKGROUP] = clipped_word(d);
    }
    for (; i < span.end; i += WORKGROUP) {
      TARGET_SLOT[i + move] = clipped_word(gradients_SLOT[i]);
    }
  }
  #end
}
