//#import format
//#import shared/table
//#import shared/fold
//#import shared/units
//#import shared/slots
//#import shared/exact
//#import shared/stretch

// Pass 1 along axes: the partials of each unit, as norm.wgsl makes them of a workgroup's tiles. A tile is one chunk of as many
// units as the workgroup has teams of lanes: with 64 lanes, teams of 8 and 3 chunks a unit, the second third of the values of
// 8 units, say. Neighbouring lanes read neighbouring elements: they take neighbouring units where the inner axis is kept,
// and neighbouring values of one unit where it is reduced.

// A tensor, or a part of one, in a binding.
struct Segment {
  firstElement: u32, // counted from the start of the binding
  elementCount: u32,
  tile: u32,  // the number of its first tile in the dispatch
  piece: u32, // the number of its piece in the caller's order
  unused0: u32,
  slot: u32,  // which binding
  unused1: u32,
  unused2: u32,
}

@group(1) @binding(1) var<storage, read_write> partials: array<Partial>;

const REDUCED = false;
const KEPT = true;
// How many values in a row a lane sums in float32, and how many with 32 bits: see norm.wgsl.
const STRETCH = 4u;
const BLOCK = 256u;

// The values of a unit that a lane looks at.
struct Share {
  base: u32, // the unit's first element in the tensor
  begin: u32,
  end: u32,
  step: u32,
}

fn share_of(s: u32, unit: u32, chunk: u32, lane: u32) -> Share {
  let team = units[s].team;
  let values = (units[s].size + units[s].chunks - 1u) / units[s].chunks;
  return Share(
    element_at(s, unit, KEPT),
    chunk * values + lane % team,
    min((chunk + 1u) * values, units[s].size),
    team,
  );
}

// The lane's values once more, on the exact path.
fn add_exactly(mine: ptr<function, Partial>, s: u32, share: Share) {
  let segment = table.segments[s];
  for (var begin = share.begin; begin < share.end; begin += BLOCK * share.step) {
    let end = min(begin + BLOCK * share.step, share.end);
    var block = Sum();
    for (var r = begin; r < end; r += share.step) {
      let element = share.base + element_at(s, r, REDUCED);
      let inSegment = element - units[s].firstElement; // wraps around where it is negative
      if (inSegment < segment.elementCount) {
        let at = segment.firstElement + inSegment;
        let bits = element_of(word_of(segment.slot, at / ELEMENTS), at % ELEMENTS) & 0x7fffffffu;
        block = added(block, wide(counted_term(mine, bits, segment.piece, inSegment)));
      }
    }
    (*mine).sum = added((*mine).sum, block);
  }
}

fn gathered(s: u32, share: Share) -> Partial {
  let segment = table.segments[s];
  var mine = nothing();
  switch (segment.slot) {
    // Repeated for every binding: a switch inside the loop over values costs 6 times the time (see README.md).
    //#for slot
    case SLOTu: {
      var r = share.begin;
      while (r < share.end) {
        let blockEnd = min(r + BLOCK * share.step, share.end);
        var block = Sum();
        while (r < blockEnd) {
          let stop = min(r + STRETCH * share.step, blockEnd);
          var stretch = Values();
          for (; r < stop; r += share.step) {
            let element = share.base + element_at(s, r, REDUCED);
            let inSegment = element - units[s].firstElement;
            if (inSegment < segment.elementCount) {
              let at = segment.firstElement + inSegment;
              let bits = element_of(gradients_SLOT[at / ELEMENTS], at % ELEMENTS) & 0x7fffffffu;
              mine.largest = max(mine.largest, bits);
              stretch += fast_terms(bitcast<Values>(bits));
            }
          }
          block = added(block, wide_sum(stretch));
        }
        mine.sum = added(mine.sum, block);
      }
    }
    //#end
    default: {}
  }
  if (needs_exact(mine.largest)) {
    mine.sum = Sum();
    add_exactly(&mine, s, share);
  }
  return mine;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var t = 0u; t < table.tilesPerWorkgroup; t += 1u) {
    let tile = workgroup.x * table.tilesPerWorkgroup + t;
    let s = first_segment(tile);
    let team = units[s].team;
    let row = (tile - table.segments[s].tile) / units[s].chunks;
    let chunk = (tile - table.segments[s].tile) % units[s].chunks;
    let unit = row * (WORKGROUP / team) + lane / team;
    var mine = nothing();
    if (unit < units[s].count) {
      mine = gathered(s, share_of(s, unit, chunk, lane));
    }
    let all = folded(mine, lane, WORKGROUP, team);
    if (unit < units[s].count && lane % team == 0u) {
      partials[units[s].firstPartial + unit * units[s].chunks + chunk] = all;
    }
  }
}
