//#import shared/entry
//#import shared/units

// Where scale.wgsl finds the scale: every unit along the axes has an entry.
@group(1) @binding(1) var<storage, read> entries: array<Entry>;

fn scaling_of(s: u32, element: u32) -> Scaling {
  let entry = entries[table.segments[s].group + unit_of(s, units[s].firstElement + element)];
  return Scaling(entry.scale, entry.flags);
}

fn is_untouched() -> bool {
  return false;
}

fn has_units(s: u32) -> bool {
  return units[s].runCount > 0u;
}

fn unit_word(s: u32, word: Word, first: u32) -> Word {
  var changed = word;
  for (var k = 0u; k < ELEMENTS; k += 1u) {
    let scaling = scaling_of(s, first + k);
    changed = with_element(changed, k, clipped_bits(element_of(word, k), scaling.scale, scaling.flags));
  }
  return changed;
}

// Each element by the scale of its unit. Repeated for every binding: a switch inside the loop over words costs 6 times the
// time (see README.md).
fn scale_units(s: u32, span: Span, lane: u32) {
  let segment = table.segments[s];
  let shift = segment.into - segment.first;
  switch (segment.slot) {
    //#for slot
    case SLOTu: {
      for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
        var word = gradients_SLOT[i];
        //#if EDGES
        if ((segment.edges & HALF_OFF) != 0u) {
          word = joined_halves(word, gradients_SLOT[i + 1u]);
        }
        //#end
        let changed = unit_word(s, word, element_number(segment, i));
        if (any(changed != word) || !IN_PLACE) { // in this order: see IN_PLACE in README.md
          TARGET_SLOT[i + shift] = changed;
        }
      }
    }
    //#end
    default: {}
  }
}
