//#import shared/soft_float
//#import shared/judge
//#import shared/difference
//#import shared/fold

// A step is skipped where its norm, or its loss, is above mean + sigmas * deviation of the last values before it. Sums are of
// differences from the first value of the list, so equal values have a deviation of exactly 0 and a mean that is exact.
// state.words has the norms from listAt on, and the losses behind them; each list has room for `window` values, as bits of float32.
struct SkipMemory {
  window: u32,
  warmup: u32,    // the first value that is judged, from 1
  sigmas: u32,    // bits
  lossIndex: u32, // word of lossSource
  listAt: u32,
  normsSeen: u32,
  normsNext: u32, // where the next one goes: the oldest one's place, once the list is full
  lossesSeen: u32,
  lossesNext: u32,
}

//#if LOSS
@group(0) @binding(LOSS_AT) var<storage, read> lossSource: array<u32>;
//#end

struct Signed {
  size: SoftFloat,
  isNegative: bool,
}

var<workgroup> centre: Signed;
// How far the limits are above the first values of their lists; in lane 0.
var<private> normLimit: Signed;
var<private> lossLimit: Signed;

fn signed(bits: u32) -> Signed {
  return Signed(soft_float(bits & 0x7fffffffu), bits > 0x7fffffffu);
}

fn plus(a: Signed, b: Signed) -> Signed {
  if (a.isNegative == b.isNegative) {
    return Signed(sum(a.size, b.size), a.isNegative);
  }
  if (exceeds(b.size, a.size)) {
    return Signed(difference_down(b.size, a.size), b.isNegative);
  }
  return Signed(difference_down(a.size, b.size), a.isNegative);
}

fn minus(a: Signed, b: Signed) -> Signed {
  return plus(a, Signed(b.size, !b.isNegative));
}

fn divided_by(a: Signed, count: u32) -> Signed {
  return Signed(quotient(a.size, normalized(count, 0)), a.isNegative);
}

fn summed(mine: Sum, lane: u32) -> SoftFloat {
  var partial = nothing();
  partial.sum = mine;
  return narrow(folded(partial, lane, WORKGROUP, WORKGROUP).sum);
}

// Values in the order in which they came.
struct List {
  at: u32,
  oldest: u32, // its place
  count: u32,
}

fn list_of(at: u32, seen: u32, next: u32) -> List {
  let isFull = seen >= state.skip.window;
  return List(at, select(0u, next, isFull), min(seen, state.skip.window));
}

fn norms() -> List {
  return list_of(state.skip.listAt, state.skip.normsSeen, state.skip.normsNext);
}

//#if LOSS
fn losses() -> List {
  return list_of(losses_at(), state.skip.lossesSeen, state.skip.lossesNext);
}
//#end

fn value_of(list: List, i: u32) -> Signed {
  let place = list.oldest + i;
  return signed(state.words[list.at + select(place, place - state.skip.window, place >= state.skip.window)]);
}

// The sum of distances from `origin`, and in lane 0 that of their squares.
struct Distances {
  total: Signed,
  squares: SoftFloat,
}

fn distances(list: List, first: Signed, origin: Signed, lane: u32) -> Distances {
  var above = Sum();
  var below = Sum();
  var squares = Sum();
  for (var i = lane; i < list.count; i += WORKGROUP) {
    let distance = minus(minus(value_of(list, i), first), origin);
    let short = rounded(distance.size);
    squares = added(squares, wide(product(short, short)));
    if (distance.isNegative) {
      below = added(below, wide(distance.size));
    } else {
      above = added(above, wide(distance.size));
    }
  }
  let total = minus(Signed(summed(above, lane), false), Signed(summed(below, lane), false));
  return Distances(total, summed(squares, lane));
}

// mean + sigmas * deviation, from the oldest value. The mean of 24 digits is corrected by the mean of what it leaves: the first round's
// deviation is not used.
fn limit_of(list: List, lane: u32) -> Signed {
  let first = value_of(list, 0u);
  var origin = Signed(SoftFloat(), false);
  var limit = origin;
  // Counted so that RADV does not repeat it: see shared/fold.wgsl.
  for (var round = 0u; round < 2u; round = (round + 1u) % 4u) {
    let found = distances(list, first, origin, lane);
    let mean = plus(origin, divided_by(found.total, max(list.count, 1u)));
    let deviation = rounded(root(quotient(found.squares, normalized(max(list.count, 2u) - 1u, 0))));
    limit = plus(mean, Signed(product(soft_float(state.skip.sigmas), deviation), false));
    if (lane == 0u) {
      centre = mean;
    }
    workgroupBarrier();
    origin = centre;
  }
  return limit;
}

fn losses_at() -> u32 {
  return state.skip.listAt + state.skip.window;
}

fn prepare_skip(lane: u32) {
  normLimit = limit_of(norms(), lane);
  //#if LOSS
  lossLimit = limit_of(losses(), lane);
  //#end
}

fn is_above(value: Signed, limit: Signed, list: List, seen: u32) -> bool {
  let excess = minus(minus(value, value_of(list, 0u)), limit);
  return seen >= state.skip.warmup - 1u && excess.size.mantissa != 0u && !excess.isNegative;
}

// A counter that stays at its largest.
fn one_more(count: u32) -> u32 {
  return max(count, count + 1u);
}

fn place_after(next: u32) -> u32 {
  return select(next + 1u, 0u, next + 1u == state.skip.window);
}

fn is_norm_spike(norm: SoftFloat) -> bool {
  let at = state.skip.listAt;
  let isSpike = is_above(Signed(norm, false), normLimit, norms(), state.skip.normsSeen);
  state.words[at + state.skip.normsNext] = float_bits(norm);
  state.skip.normsSeen = one_more(state.skip.normsSeen);
  state.skip.normsNext = place_after(state.skip.normsNext);
  return isSpike;
}

//#if LOSS
fn is_loss_spike() -> bool {
  let bits = lossSource[state.skip.lossIndex];
  if ((bits & 0x7fffffffu) >= INFINITY_BITS) {
    return true;
  }
  let isSpike = is_above(signed(bits), lossLimit, losses(), state.skip.lossesSeen);
  state.words[losses_at() + state.skip.lossesNext] = bits;
  state.skip.lossesSeen = one_more(state.skip.lossesSeen);
  state.skip.lossesNext = place_after(state.skip.lossesNext);
  return isSpike;
}
//#end

fn is_spike(norm: SoftFloat, isFinite: bool) -> bool {
  var spike = false;
  if (isFinite) {
    spike = is_norm_spike(norm);
  }
  //#if LOSS
  let lossSpike = is_loss_spike();
  spike = spike || lossSpike;
  //#end
  return spike;
}
