// Pass 1: partials[w] = the sum of squares, the largest magnitude and the non-finite values of workgroup w's tiles.
// Reads every gradient once; everything is decided on the integer bits, because a shader may assume that no NaN exists.

#slots
@group(0) @binding(SLOT) var<storage, read> gradients_SLOT: array<Word>;
#end
@group(1) @binding(0) var<uniform> table: Table;
@group(1) @binding(1) var<storage, read_write> partials: array<Partial>;

const MAGNITUDE = Word(0x7fffffffu);
// A lane whose largest magnitude lies between these takes the plain sum of squares: nothing overflows, and what may
// flush to zero, at most 2^20 squares below 2^-126, is less than 2^-26 of the sum.
const PLAIN_FROM = 0x2b800000u; // 2^-40
const BIG_FROM = 0x56800000u;   // 2^46
const SMALL_BELOW = 0x20000000u; // 2^-63
const SUBNORMAL_BELOW = 0x00800000u;

var<workgroup> found: array<Partial, 64>;

fn word_of(slot: u32, i: u32) -> Word {
  switch (slot) {
    #slots
    case SLOTu: { return gradients_SLOT[i]; }
    #end
    default: { return Word(); }
  }
}

fn note_fault(mine: ptr<function, Partial>, bits: u32, rank: u32, element: u32) {
  (*mine).flags |= select(INFINITY_SEEN, NAN_SEEN, bits > INFINITY_BITS);
  (*mine).nonFinite += 1u;
  if (is_before(rank, element, (*mine).firstRank, (*mine).firstElement)) {
    (*mine).firstRank = rank;
    (*mine).firstElement = element;
  }
}

// The square of a finite magnitude, scaled so that it is a normal number: big * 2^180, plain, small * 2^-192.
fn square_by_range(bits: u32) -> vec3f {
  if (bits >= BIG_FROM) {
    let scaled = bitcast<f32>(bits - (90u << 23u));
    return vec3f(scaled * scaled, 0.0, 0.0);
  }
  if (bits >= SMALL_BELOW) {
    let value = bitcast<f32>(bits);
    return vec3f(0.0, value * value, 0.0);
  }
  // A subnormal from its integer, so that devices that flush see it.
  let scaled = select(bitcast<f32>(bits + (96u << 23u)), f32(bits) * 0x1p-53f, bits < SUBNORMAL_BELOW);
  return vec3f(0.0, 0.0, scaled * scaled);
}

fn sum_by_range(squares: vec3f) -> Wide {
  let big = wide(bitcast<u32>(squares.x));
  let small = wide(bitcast<u32>(squares.z));
  return sum(sum(Wide(big.mantissa, big.exponent + 180), wide(bitcast<u32>(squares.y))),
    Wide(small.mantissa, small.exponent - 192));
}

// The lane's words once more, value by value: only where they hold something out of the ordinary.
fn add_with_care(mine: ptr<function, Partial>, firstTile: u32, endTile: u32, lane: u32) {
  for (var s = first_segment(firstTile); s < table.segmentCount && table.segments[s].tile < endTile; s += 1u) {
    let segment = table.segments[s];
    let span = span_of(segment, firstTile, endTile);
    for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
      let word = word_of(segment.slot, i) & MAGNITUDE;
      var squares = vec3f();
      for (var k = 0u; k < LANES; k += 1u) {
        let bits = lane_of(word, k);
        if (bits >= INFINITY_BITS) {
          note_fault(mine, bits, segment.rank, (i - segment.first) * LANES + k);
        } else {
          squares += square_by_range(bits);
        }
      }
      (*mine).sum = sum((*mine).sum, sum_by_range(squares));
    }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  var mine = nothing();
  var largest = Word();

  for (var s = first_segment(firstTile); s < table.segmentCount && table.segments[s].tile < endTile; s += 1u) {
    let segment = table.segments[s];
    let span = span_of(segment, firstTile, endTile);
    for (var begin = span.begin; begin < span.end; begin += ROUND) {
      let end = min(begin + ROUND, span.end);
      let wholeEnd = whole_end(begin, end);
      var i = begin + lane;
      // Long plain float32 sums lose digits: a round is short, and the sum of the rounds has 32 bits.
      var round = Values();
      switch (segment.slot) {
        #slots
        case SLOTu: {
          for (; i < wholeEnd; i += TILE) {
            let a = gradients_SLOT[i] & MAGNITUDE;
            let b = gradients_SLOT[i + WORKGROUP] & MAGNITUDE;
            let c = gradients_SLOT[i + 2u * WORKGROUP] & MAGNITUDE;
            let d = gradients_SLOT[i + 3u * WORKGROUP] & MAGNITUDE;
            largest = max(largest, max(max(a, b), max(c, d)));
            let x = bitcast<Values>(a);
            let y = bitcast<Values>(b);
            let z = bitcast<Values>(c);
            let w = bitcast<Values>(d);
            round += (x * x + y * y) + (z * z + w * w);
          }
          for (; i < end; i += WORKGROUP) {
            let a = gradients_SLOT[i] & MAGNITUDE;
            largest = max(largest, a);
            let x = bitcast<Values>(a);
            round += x * x;
          }
        }
        #end
        default: {}
      }
      mine.sum = sum(mine.sum, wide(bitcast<u32>(sum_of(round))));
    }
  }
  mine.largest = largest_of(largest);
  if (mine.largest != 0u && (mine.largest < PLAIN_FROM || mine.largest >= BIG_FROM)) {
    mine.sum = Wide(0u, 0);
    add_with_care(&mine, firstTile, endTile, lane);
  }

  found[lane] = mine;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      found[lane] = combined(found[lane], found[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    var all = found[0];
    if (table.fresh == 0u) {
      all = combined(partials[workgroup.x], all);
    }
    partials[workgroup.x] = all;
  }
}
