// What lies along axes, in two numberings: the values of a tensor by their place in it, say, and by their unit. From the innermost axis
// out, each axis has a stride in either. A number of the one is `stride` times as much in the other, and a `change` more for each
// whole period in it. A period is the length of an axis times those of the axes within; the outermost axis needs none.
struct Numbering {
  periods: vec3u, // NEVER where there are fewer axes
  stride: u32,    // along the innermost axis
  changes: vec3u, // those that are negative wrap around
}

const NEVER = 0xffffffffu;

fn renumbered(by: Numbering, number: u32) -> u32 {
  var other = number * by.stride;
  if (by.periods.x != NEVER) {
    other += dot(vec3u(number) / by.periods, by.changes);
  }
  return other;
}
