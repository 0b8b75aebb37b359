//#import format
//#import shared/table
//#import shared/fold
//#import shared/units
//#import shared/slots
//#import shared/exact

// Pass 1 along axes: the partials of each unit, as norm.wgsl makes them of a workgroup's tiles. A tile is one chunk of as many
// units as the workgroup has teams of lanes: with 64 lanes, teams of 8 and 3 chunks a unit, the second third of the values of
// 8 units, say. Neighbouring lanes read neighbouring elements: they take neighbouring units where the inner axis is kept,
// and neighbouring values of one unit where it is reduced.

// A tensor, or a part of one, in a binding.
struct Segment {
  firstElement: u32, // counted from the start of the binding
  elementCount: u32,
  tile: u32,     // the number of its first tile in the dispatch
  piece: u32,    // the number of its piece in the caller's order
  inTensor: u32, // the number of its first element in the tensor
  slot: u32,     // which binding
  unused0: u32,
  unused1: u32,
}

// How the tensor of a segment is divided into units. A run is a row of values of one unit along the innermost reduced axis.
struct Units {
  count: u32,
  size: u32,        // values in each
  team: u32,        // lanes that share a unit
  chunks: u32,      // partials of a unit
  firstPartial: u32,
  runLength: u32,   // values in a run
  valueStride: u32, // elements from one of them to the next
  runShift: u32,    // 2^runShift lanes share a run
  runs: Numbering,  // tells a run of a unit by its first element, counted from the unit's first element
  units: Numbering, // tells a unit by its first element
}

@group(1) @binding(1) var<storage, read_write> partials: array<Partial>;
@group(1) @binding(2) var<uniform> unitTable: array<vec4u, 1020>; // six for each segment

// As segment_at of shared/table.wgsl.
fn units_at(s: u32) -> Units {
  let a = unitTable[6u * s];
  let b = unitTable[6u * s + 1u];
  let c = unitTable[6u * s + 2u];
  let d = unitTable[6u * s + 3u];
  let e = unitTable[6u * s + 4u];
  let f = unitTable[6u * s + 5u];
  return Units(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w, Numbering(c.xyz, c.w, d.xyz), Numbering(e.xyz, e.w, f.xyz));
}

// How many values in a row a lane sums in float32: see norm.wgsl. And how many it looks at before it may take the exact path.
const STRETCH = 16u;
const BLOCK = 256u;

// Some values of a lane, `pitch` elements apart. Those outside of the segment belong to another segment.
struct Block {
  first: u32, // counted from the segment's first element; before it the number wraps around
  pitch: u32,
  count: u32,
}

// The values on the exact path.
fn exact_block(mine: ptr<function, Partial>, segment: Segment, block: Block) -> Sum {
  var total = Sum();
  for (var k = 0u; k < block.count; k += 1u) {
    let element = block.first + k * block.pitch;
    if (element < segment.elementCount) {
      let at = segment.firstElement + element;
      let bits = element_of(word_of(segment.slot, at / ELEMENTS), at % ELEMENTS) & 0x7fffffffu;
      total = added(total, wide(counted_term(mine, bits, segment.piece, element)));
    }
  }
  return total;
}

fn add_block(mine: ptr<function, Partial>, segment: Segment, block: Block) {
  let steps = vec4u(0u, 1u, 2u, 3u) * block.pitch;
  var total = Sum();
  var largest = vec4u();
  switch (segment.slot) {
    // Repeated for every binding: a switch inside the loop over values costs 6 times the time (see README.md).
    //#for slot
    case SLOTu: {
      // As `within` of shared/spans.wgsl.
      let end = min(segment.elementCount, arrayLength(&gradients_SLOT) * ELEMENTS - segment.firstElement);
      var first = block.first;
      for (var k = 0u; k < block.count;) {
        let stop = min(k + STRETCH, block.count);
        var stretch = Values();
        for (; k < stop; k += 4u) {
          let elements = first + steps;
          let isMine = (vec4u(0u, 1u, 2u, 3u) < vec4u(stop - k)) & (elements < vec4u(end));
          let at = segment.firstElement + min(elements, vec4u(end - 1u));
          let a = element_of(gradients_SLOT[at.x / ELEMENTS], at.x % ELEMENTS);
          let b = element_of(gradients_SLOT[at.y / ELEMENTS], at.y % ELEMENTS);
          let c = element_of(gradients_SLOT[at.z / ELEMENTS], at.z % ELEMENTS);
          let d = element_of(gradients_SLOT[at.w / ELEMENTS], at.w % ELEMENTS);
          let bits = select(vec4u(), vec4u(a, b, c, d) & vec4u(0x7fffffffu), isMine);
          largest = max(largest, bits);
          let values = bitcast<vec4f>(bits);
          stretch += (fast_terms(values.x) + fast_terms(values.y)) + (fast_terms(values.z) + fast_terms(values.w));
          first += 4u * block.pitch;
        }
        total = added(total, wide_sum(stretch));
      }
    }
    //#end
    default: {}
  }
  let top = max(max(largest.x, largest.y), max(largest.z, largest.w));
  if (needs_exact(top)) {
    total = exact_block(mine, segment, block);
  }
  (*mine).largest = max((*mine).largest, top);
  (*mine).sum = added((*mine).sum, total);
}

// What a lane finds in its share of a chunk of a unit. `member` is the number of the lane in its team.
fn gathered(segment: Segment, units: Units, unit: u32, chunk: u32, member: u32) -> Partial {
  let values = (units.size + units.chunks - 1u) / units.chunks;
  let begin = chunk * values;
  let end = min(begin + values, units.size);
  let first = renumbered(units.units, unit) - segment.inTensor;
  let lanes = 1u << units.runShift;
  let pitch = lanes * units.valueStride;
  var mine = nothing();
  var run = begin / units.runLength + (member >> units.runShift);
  for (; run * units.runLength < end; run += units.team >> units.runShift) {
    let start = run * units.runLength;
    let runEnd = min(end - start, units.runLength);
    let place = max(begin, start) - start + member % lanes;
    let count = (max(runEnd + lanes - 1u, place) - place) >> units.runShift;
    let firstOfRun = first + renumbered(units.runs, run) + place * units.valueStride;
    for (var k = 0u; k < count; k += BLOCK) {
      add_block(&mine, segment, Block(firstOfRun + k * pitch, pitch, min(BLOCK, count - k)));
    }
  }
  return mine;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var t = 0u; t < table.tilesPerWorkgroup; t += 1u) {
    let tile = workgroup.x * table.tilesPerWorkgroup + t;
    let s = first_segment(tile);
    let segment = segment_at(s);
    let units = units_at(s);
    let row = (tile - segment.tile) / units.chunks;
    let chunk = (tile - segment.tile) % units.chunks;
    let unit = row * (WORKGROUP / units.team) + lane / units.team;
    var mine = nothing();
    if (unit < units.count) {
      mine = gathered(segment, units, unit, chunk, lane % units.team);
    }
    let all = folded(mine, lane, WORKGROUP, units.team);
    if (unit < units.count && lane % units.team == 0u) {
      partials[units.firstPartial + unit * units.chunks + chunk] = all;
    }
  }
}
