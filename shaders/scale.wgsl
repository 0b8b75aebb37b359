// Pass 3: gradient = scale * gradient, in place or into another buffer. In place with a scale of 1 it leaves at once.

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

fn is_one(scaling: Scaling) -> bool {
  return scaling.scale.x == ONE_BITS && scaling.scale.y == ONE_BITS;
}

fn write_edge(s: u32, lane: u32) {
  let segment = table.segments[s];
  let element = select((segment.edges & FIRST_HALF) + ELEMENTS * segment.count, 0u, lane == 0u);
  let scaling = scaling_of(s, element);
  if (!is_one(scaling) || !IN_PLACE) {
    let half = edge_half(segment, lane);
    let bits = element_of(word_of(segment.slot, half / 2u), half % 2u);
    set_edge(segment, lane, clipped_bits(bits, scaling.scale, scaling.flags));
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;

  for (var s = first_segment(firstTile); s < table.segmentCount && table.segments[s].tile < endTile; s += 1u) {
    let segment = table.segments[s];
    let span = span_of(segment, firstTile, endTile);
    let shift = segment.into - segment.first; // wraps around where it is negative
    #edges
    if (has_edge(segment, firstTile, lane)) {
      write_edge(s, lane);
    }
    #end
    if (scale_units(s, span, lane)) {
      continue;
    }
    let scaling = scaling_of(s, 0u);
    if (IN_PLACE && is_one(scaling)) {
      continue;
    }
    // The usual case: nothing non-finite, one factor, and it shrinks, so that no subnormal value can matter.
    let plain = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS;
    let factor = bitcast<f32>(scaling.scale.x);
    #edges
    if ((segment.edges & HALF_OFF) != 0u) {
      for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
        set_word(segment.slot, i + shift, clipped_word(half_off_word(segment.slot, i), scaling));
      }
      continue;
    }
    #end
    if (!IN_PLACE && is_one(scaling) && (scaling.flags & 2u) == 0u) {
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
