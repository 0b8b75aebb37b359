//#import shared/entry
//#import shared/units

// Where scale.wgsl finds the scale: every unit along the axes has an entry.
@group(1) @binding(1) var<storage, read> entries: array<Entry>;
@group(1) @binding(2) var<uniform> unitTable: array<vec4u, 850>; // five for each segment

// How the tensor of a segment is divided into units.
struct Units {
  firstElement: u32, // of the tensor, where the segment begins
  axisCount: u32,    // 0: the segment is one unit
  unused0: u32,
  unused1: u32,
  inner: Numbering,  // tells an element by its unit, as far as three periods go
  outerPeriods: vec4u, // the others
  outerChanges: vec4u,
}

// As segment_at of shared/table.wgsl.
fn units_at(s: u32) -> Units {
  let a = unitTable[5u * s];
  let b = unitTable[5u * s + 1u];
  let c = unitTable[5u * s + 2u];
  let d = unitTable[5u * s + 3u];
  let e = unitTable[5u * s + 4u];
  return Units(a.x, a.y, a.z, a.w, Numbering(b.xyz, b.w, c.xyz), d, e);
}

fn has_units(s: u32) -> bool {
  return units_at(s).axisCount > 0u;
}

fn has_outer(units: Units) -> bool {
  return units.axisCount > 4u;
}

// An element's unit, and how far the element is in each of the inner and outer periods.
struct Place {
  unit: u32,
  inner: vec3u,
  outer: vec4u,
}

fn place_of(units: Units, element: u32) -> Place {
  var place = Place(renumbered(units.inner, element), vec3u(element) % units.inner.periods, vec4u());
  if (has_outer(units)) {
    place.unit += dot(vec4u(element) / units.outerPeriods, units.outerChanges);
    place.outer = vec4u(element) % units.outerPeriods;
  }
  return place;
}

// The change in the unit from the outer periods that have ended.
fn outer_change(units: Units, outer: vec4u) -> u32 {
  return dot(vec4u(outer >= units.outerPeriods), units.outerChanges);
}

// The place after a step of as many elements as lie before the place `by`. This follows the inner periods only. No period ends twice
// on the way, so that no division is needed.
fn moved(start: Place, by: Place, periods: vec3u, changes: vec3u) -> Place {
  let inner = start.inner + by.inner;
  let ended = select(vec3u(), changes, inner >= periods);
  // Within a period the difference wraps around.
  return Place(start.unit + by.unit + ended.x + ended.y + ended.z, min(inner, inner - periods), start.outer);
}

fn entry_scaling(number: u32) -> Scaling {
  let entry = entries[number];
  return Scaling(entry.scale, entry.flags);
}

fn segment_scaling(s: u32) -> Scaling {
  return entry_scaling(segment_at(s).group);
}

fn element_scaling(s: u32, element: u32) -> Scaling {
  let units = units_at(s);
  return entry_scaling(segment_at(s).group + place_of(units, units.firstElement + element).unit);
}

fn is_untouched() -> bool {
  return false;
}

// A scaled word. `place` is that of its first element, and `group` is the tensor's first entry.
fn unit_word(units: Units, word: Word, group: u32, place: Place) -> Word {
  var changes = units.inner.changes;
  if (has_outer(units)) {
    // Three axes have at least 8 elements. So their period ends at most once in a word, and outer periods end only there.
    changes.z += outer_change(units, place.outer + ELEMENTS - 1u);
  }
  let next = Place(units.inner.stride, vec3u(1u), vec4u());
  var at = place;
  var changed = word;
  for (var k = 0u; k < ELEMENTS; k += 1u) {
    let scaling = entry_scaling(group + at.unit);
    changed = with_element(changed, k, clipped_bits(element_of(word, k), scaling.scale, scaling.flags));
    at = moved(at, next, units.inner.periods, changes);
  }
  return changed;
}

// Each element by the scale of its unit. Repeated for every binding: a switch inside the loop over words costs 6 times the
// time (see README.md).
fn scale_units(s: u32, span: Span, lane: u32) {
  let segment = segment_at(s);
  let units = units_at(s);
  let group = min(segment.group, arrayLength(&entries)); // as `within`
  let shift = segment.into - segment.first;
  let first = span.begin + lane;
  var place = place_of(units, units.firstElement + element_number(segment, first));
  let turn = place_of(units, WORKGROUP * ELEMENTS);
  switch (segment.slot) {
    //#for slot
    case SLOTu: {
      let end = within(span, min(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift)).end;
      for (var i = first; i < end; i += WORKGROUP) {
        var word = read_SLOT(i);
        //#if EDGES
        if ((segment.edges & HALF_OFF) != 0u) {
          word = joined_halves(word, read_SLOT(i + 1u));
        }
        //#end
        let changed = unit_word(units, word, group, place);
        if (any(changed != word) || !IN_PLACE) { // in this order: see IN_PLACE in README.md
          TARGET_SLOT[i + shift] = changed;
        }
        place = moved(place, turn, units.inner.periods, units.inner.changes);
        if (has_outer(units)) {
          let outer = place.outer + turn.outer;
          place.unit += outer_change(units, outer);
          place.outer = min(outer, outer - units.outerPeriods);
        }
      }
    }
    //#end
    default: {}
  }
}
