// Pass 3: gradient = scale * gradient, in place or into another buffer. In place with a scale of 1 it leaves at once.

#slots
@group(0) @binding(SLOT) var<storage, ACCESS> gradients_SLOT: array<Word>;
#end
#into-slots
@group(0) @binding(INTO) var<storage, read_write> into_SLOT: array<Word>;
#end
@group(1) @binding(0) var<uniform> table: Table;

const ONE_BITS = 0x3f800000u;

struct Scaling {
  scale: vec2u, // bits of two factors
  flags: u32,
}

fn clipped_word(word: Word, scaling: Scaling) -> Word {
  var changed = word;
  for (var k = 0u; k < ELEMENTS; k += 1u) {
    changed = with_element(changed, k, clipped_bits(element_of(word, k), scaling.scale, scaling.flags));
  }
  return changed;
}

fn word_of(slot: u32, i: u32) -> Word {
  switch (slot) {
    #slots
    case SLOTu: { return gradients_SLOT[i]; }
    #end
    default: { return Word(); }
  }
}

// The source's word for a word of the destination, where the two lie half a word apart.
fn half_off_word(slot: u32, i: u32) -> Word {
  return (word_of(slot, i) >> Word(16u)) | (word_of(slot, i + 1u) << Word(16u));
}

fn target_word(slot: u32, i: u32) -> Word {
  switch (slot) {
    #slots
    case SLOTu: { return TARGET_SLOT[i]; }
    #end
    default: { return Word(); }
  }
}

fn set_word(slot: u32, i: u32, word: Word) {
  switch (slot) {
    #slots
    case SLOTu: { TARGET_SLOT[i] = word; }
    #end
    default: {}
  }
}

// The other half of the destination's word stays; no other invocation of the dispatch writes to the word.
fn write_edge(segment: Segment, lane: u32, scaling: Scaling) {
  let half = edge_half(segment, lane);
  let bits = clipped_bits(element_of(word_of(segment.slot, half / 2u), half % 2u), scaling.scale, scaling.flags);
  let i = select(segment.into + segment.count, segment.into - 1u, lane == 0u);
  set_word(segment.slot, i, with_element(target_word(segment.slot, i), 1u - lane, bits));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;

  for (var s = first_segment(firstTile); s < table.segmentCount && table.segments[s].tile < endTile; s += 1u) {
    let segment = table.segments[s];
    let scaling = scaling_of(segment);
    if (IN_PLACE && scaling.scale.x == ONE_BITS && scaling.scale.y == ONE_BITS) {
      continue;
    }
    // The usual case: nothing non-finite, one factor, and it shrinks, so that no subnormal value can matter.
    let plain = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS;
    let factor = bitcast<f32>(scaling.scale.x);
    let span = span_of(segment, firstTile, endTile);
    let shift = segment.into - segment.first; // wraps around where it is negative
    #edges
    if (has_edge(segment, firstTile, lane)) {
      write_edge(segment, lane, scaling);
    }
    if ((segment.edges & HALF_OFF) != 0u) {
      for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
        set_word(segment.slot, i + shift, clipped_word(half_off_word(segment.slot, i), scaling));
      }
      continue;
    }
    #end
    if (!IN_PLACE && scaling.scale.x == ONE_BITS && scaling.scale.y == ONE_BITS && (scaling.flags & 2u) == 0u) {
      switch (segment.slot) {
        #into-slots
        case SLOTu: {
          for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
            TARGET_SLOT[i + shift] = gradients_SLOT[i];
          }
        }
        #end
        default: {}
      }
      continue;
    }
    if (!plain) {
      for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
        set_word(segment.slot, i + shift, clipped_word(word_of(segment.slot, i), scaling));
      }
      continue;
    }
    let wholeEnd = whole_end(span.begin, span.end);
    var i = span.begin + lane;
    switch (segment.slot) {
      #slots
      case SLOTu: {
        for (; i < wholeEnd; i += TILE) {
          let a = gradients_SLOT[i];
          let b = gradients_SLOT[i + WORKGROUP];
          let c = gradients_SLOT[i + 2u * WORKGROUP];
          let d = gradients_SLOT[i + 3u * WORKGROUP];
          TARGET_SLOT[i + shift] = scaled_word(a, factor);
          TARGET_SLOT[i + shift + WORKGROUP] = scaled_word(b, factor);
          TARGET_SLOT[i + shift + 2u * WORKGROUP] = scaled_word(c, factor);
          TARGET_SLOT[i + shift + 3u * WORKGROUP] = scaled_word(d, factor);
        }
        for (; i < span.end; i += WORKGROUP) {
          TARGET_SLOT[i + shift] = scaled_word(gradients_SLOT[i], factor);
        }
      }
      #end
      default: {}
    }
  }
}
