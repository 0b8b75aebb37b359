//#import shared/entry
//#import shared/units

// Where scale.wgsl finds the scale: every unit along the axes has an entry.
@group(1) @binding(1) var<storage, read> entries: array<Entry>;

fn scaling_of(s: u32, element: u32) -> Scaling {
  let entry = entries[table.segments[s].group + unit_of(s, units[s].firstElement + element)];
  return Scaling(entry.scale, entry.flags);
}

fn unit_word(s: u32, word: Word, first: u32) -> Word {
  var changed = word;
  for (var k = 0u; k < ELEMENTS; k += 1u) {
    let scaling = scaling_of(s, first + k);
    changed = with_element(changed, k, clipped_bits(element_of(word, k), scaling.scale, scaling.flags));
  }
  return changed;
}

fn is_untouched() -> bool {
  return false;
}

fn has_units(s: u32) -> bool {
  return units[s].runCount > 0u;
}

// Each element by the scale of its unit.
fn scale_units(s: u32, span: Span, lane: u32) {
  let segment = table.segments[s];
  let shift = segment.into - segment.first;
  let halvesBefore = segment.edges & FIRST_HALF;
  let halfOff = (segment.edges & HALF_OFF) != 0u;
  switch (segment.slot) {
    //#for slot
    case SLOTu: {
      for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
        var word = gradients_SLOT[i];
        if (halfOff) {
          word = joined_halves(word, gradients_SLOT[i + 1u]);
        }
        let changed = unit_word(s, word, halvesBefore + ELEMENTS * (i - segment.first));
        if (any(changed != word) || !IN_PLACE) { // Chromium 147 does not compile `!false || any(...)`
          TARGET_SLOT[i + shift] = changed;
        }
      }
    }
    //#end
    default: {}
  }
}
