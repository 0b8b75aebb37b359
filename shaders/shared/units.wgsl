// Tells what lies along axes by another number: an element by its unit, for example. The first numbers go through the axes row by row,
// the innermost axis first. The other number is then number * stride, and one change more for each whole period in the number. The
// period of an axis is its length times the lengths of the axes inside it. The outermost axis has no period.
struct Numbering {
  periods: vec3u, // NEVER where there are fewer axes
  stride: u32,    // of the other numbers along the innermost axis
  changes: vec3u, // a negative change wraps around
}

const NEVER = 0xffffffffu;

fn renumbered(by: Numbering, number: u32) -> u32 {
  var other = number * by.stride;
  if (by.periods.x != NEVER) {
    other += dot(vec3u(number) / by.periods, by.changes);
  }
  return other;
}
