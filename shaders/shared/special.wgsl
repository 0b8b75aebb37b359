//#import shared/targets
//#import shared/clipped
//#import scales

// What scale.wgsl has to do with a segment besides shrinking or copying words: edges, units, words half a word off, values
// that may be out of the ordinary.
fn clipped_word(word: Word, scaling: Scaling) -> Word {
  var changed = word;
  for (var k = 0u; k < ELEMENTS; k += 1u) {
    changed = with_element(changed, k, clipped_bits(element_of(word, k), scaling.scale, scaling.flags));
  }
  return changed;
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
  //#if EDGES
  if (has_edge(segment, firstTile, lane)) {
    write_edge(s, lane);
  }
  //#end
  if (has_units(s)) {
    scale_units(s, span, lane);
    return;
  }
  let scaling = scaling_of(s, 0u);
  let work = work_of(scaling);
  if (work == CARE || (segment.edges & HALF_OFF) != 0u) {
    for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
      var word = word_of(segment.slot, i);
      //#if EDGES
      if ((segment.edges & HALF_OFF) != 0u) {
        word = joined_halves(word, word_of(segment.slot, i + 1u));
      }
      //#end
      set_word(segment.slot, i + shift, clipped_word(word, scaling));
    }
  }
}
