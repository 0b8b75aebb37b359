// How the elements of a tensor fall into units along its axes: those of a unit share a norm. One for each segment of the
// dispatch.
struct Units {
  count: u32,
  size: u32,         // values in each
  team: u32,         // lanes that share a unit
  chunks: u32,       // partials of a unit
  firstElement: u32, // of the tensor, where the segment begins
  firstPartial: u32,
  runCount: u32,     // 0: the segment is one unit
  unused: u32,
  // The axes from the innermost out, two in each: its length, and by how much the unit's number grows along it, 0 where it
  // is reduced.
  runs: array<vec4u, 4>,
}

@group(1) @binding(2) var<uniform> units: array<Units, 170>;

fn run_of(s: u32, i: u32) -> vec2u {
  let pair = units[s].runs[i / 2u];
  return select(pair.xy, pair.zw, i % 2u == 1u);
}

// The unit of an element of the tensor.
fn unit_of(s: u32, element: u32) -> u32 {
  var rest = element;
  var unit = 0u;
  for (var i = 0u; i < units[s].runCount; i += 1u) {
    let run = run_of(s, i);
    unit += (rest % run.x) * run.y;
    rest /= run.x;
  }
  return unit;
}

// Where the tensor's element is that a number stands for: that of a unit, through the axes that are kept, or that of a
// value in its unit, through those that are reduced. The two add up.
fn element_at(s: u32, number: u32, kept: bool) -> u32 {
  var rest = number;
  var stride = 1u;
  var element = 0u;
  for (var i = 0u; i < units[s].runCount; i += 1u) {
    let run = run_of(s, i);
    if ((run.y > 0u) == kept) {
      element += (rest % run.x) * stride;
      rest /= run.x;
    }
    stride *= run.x;
  }
  return element;
}
