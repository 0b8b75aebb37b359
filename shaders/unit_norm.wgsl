//#import format
//#import shared/segments
//#import shared/units
//#import shared/slots
//#import shared/careful

// Pass 1 along axes: the partials of each unit, as norm.wgsl makes them of a workgroup's tiles. A job is one chunk of as
// many units as the workgroup has teams of lanes; where the inner axis is kept, neighbouring lanes take neighbouring units,
// and where it is reduced, neighbouring values of one: either way they read neighbouring elements.

@group(1) @binding(0) var<uniform> table: Table;
@group(1) @binding(1) var<storage, read_write> partials: array<Partial>;

const REDUCED = false;
const KEPT = true;
// What one lane sums in a row in float32, and then in integers: longer sums lose digits.
const STRETCH_VALUES = 8u;
const BLOCK_VALUES = 256u;

var<workgroup> found: array<Partial, WORKGROUP_SIZE>;

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

// The lane's values once more, where they hold something out of the ordinary.
fn add_with_care(mine: ptr<function, Partial>, s: u32, share: Share) {
  let segment = table.segments[s];
  for (var begin = share.begin; begin < share.end; begin += BLOCK_VALUES * share.step) {
    let end = min(begin + BLOCK_VALUES * share.step, share.end);
    var block = Wide(0u, 0);
    for (var r = begin; r < end; r += share.step) {
      let element = share.base + element_at(s, r, REDUCED);
      let inSegment = element - units[s].firstElement; // wraps around where it is negative
      if (inSegment < segment.count) {
        let at = segment.first + inSegment;
        let bits = element_of(word_of(segment.slot, at / ELEMENTS), at % ELEMENTS) & 0x7fffffffu;
        block = sum(block, careful_sum(mine, bits, segment.rank, inSegment));
      }
    }
    (*mine).sum = sum((*mine).sum, block);
  }
}

fn gathered(s: u32, share: Share) -> Partial {
  let segment = table.segments[s];
  var mine = nothing();
  switch (segment.slot) {
    //#for slot
    case SLOTu: {
      var r = share.begin;
      while (r < share.end) {
        let blockEnd = min(r + BLOCK_VALUES * share.step, share.end);
        var block = Wide(0u, 0);
        while (r < blockEnd) {
          let stop = min(r + STRETCH_VALUES * share.step, blockEnd);
          var stretch = Values();
          for (; r < stop; r += share.step) {
            let element = share.base + element_at(s, r, REDUCED);
            let inSegment = element - units[s].firstElement;
            if (inSegment < segment.count) {
              let at = segment.first + inSegment;
              let bits = element_of(gradients_SLOT[at / ELEMENTS], at % ELEMENTS) & 0x7fffffffu;
              mine.largest = max(mine.largest, bits);
              stretch += plain_terms(bitcast<Values>(bits));
            }
          }
          block = sum(block, wide(bitcast<u32>(sum_of(stretch))));
        }
        mine.sum = sum(mine.sum, block);
      }
    }
    //#end
    default: {}
  }
  if (needs_care(mine.largest)) {
    mine.sum = Wide(0u, 0);
    add_with_care(&mine, s, share);
  }
  return mine;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var j = 0u; j < table.tilesPerWorkgroup; j += 1u) {
    let job = workgroup.x * table.tilesPerWorkgroup + j;
    let s = first_segment(job);
    let team = units[s].team;
    let block = (job - table.segments[s].tile) / units[s].chunks;
    let chunk = (job - table.segments[s].tile) % units[s].chunks;
    let unit = block * (WORKGROUP / team) + lane / team;
    var mine = nothing();
    if (unit < units[s].count) {
      mine = gathered(s, share_of(s, unit, chunk, lane));
    }
    found[lane] = mine;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
      if (half < team && lane % team < half) {
        found[lane] = combined(found[lane], found[lane + half]);
      }
      workgroupBarrier();
    }
    if (unit < units[s].count && lane % team == 0u) {
      partials[units[s].firstPartial + unit * units[s].chunks + chunk] = found[lane];
    }
    workgroupBarrier();
  }
}
