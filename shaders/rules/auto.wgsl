//#import shared/soft_float

// AutoClip: the bound is a percentile of the norms seen so far, this one included, interpolated as numpy.percentile does.
// The norms are kept sorted. Where the oldest goes and a new one comes, an entry of the new list follows from three of the
// old one: lane 0 computes the two that the bound lies between, then all lanes write the new list beside the old one.
struct RuleMemory {
  capacity: u32,
  percentile: u32, // of WHOLE
  count: u32,
  next: u32,       // where the next norm goes: the oldest one's place, once the history is full
  list: u32,       // which of the two sorted lists is up to date
}

struct Change {
  norm: u32,    // comes
  leaving: u32, // goes; NONE, above every norm, while there is room
  count: u32,   // afterwards; 0 if nothing changes
  oldList: u32, // where it begins
  newList: u32,
}

// The norms stand in state.words, as bits of float32: in the order of arrival, then the two sorted lists; each of them has
// `capacity`.

const WHOLE = 1000000u;
const LARGEST_BITS = 0x7f7fffffu;

var<workgroup> change: Change;

// The norms that stay, in order: the first is number 1, number 0 is below all of them and those past the last are above.
fn staying(number: u32) -> u32 {
  if (number == 0u) {
    return 0u;
  }
  if (number >= change.count) {
    return LARGEST_BITS;
  }
  let at = change.oldList + number - 1u;
  if (state.words[at] < change.leaving) {
    return state.words[at];
  }
  return state.words[at + 1u];
}

// The norms after the change, in order from 0.
fn changed(i: u32) -> u32 {
  return max(staying(i), min(change.norm, staying(i + 1u)));
}

fn note(norm: u32) {
  let capacity = state.rule.capacity;
  let next = state.rule.next;
  let full = state.rule.count == capacity;
  change.norm = norm;
  change.leaving = select(NONE, state.words[next], full);
  change.count = select(state.rule.count + 1u, capacity, full);
  change.oldList = (1u + state.rule.list) * capacity;
  change.newList = (2u - state.rule.list) * capacity;
  state.words[next] = norm;
  state.rule.count = change.count;
  state.rule.next = select(next + 1u, 0u, next + 1u == capacity);
  state.rule.list = 1u - state.rule.list;
}

// (count - 1) * percentile = place * WHOLE + rest: bound = (norms[place] * (WHOLE - rest) + norms[place + 1] * rest) / WHOLE.
fn percentile_of_norms() -> SoftFloat {
  let last = change.count - 1u;
  let high = (last >> 8u) * state.rule.percentile;
  let low = ((high % WHOLE) << 8u) + (last & 0xffu) * state.rule.percentile;
  let place = ((high / WHOLE) << 8u) + low / WHOLE;
  let rest = low % WHOLE;
  let below = exact_product(soft_float(changed(place)), normalized(WHOLE - rest, 0));
  let above = exact_product(soft_float(changed(place + 1u)), normalized(rest, 0));
  return quotient(sum(below, above), normalized(WHOLE, 0));
}

fn bound_for(facts: Facts) -> SoftFloat {
  note(float_bits(facts.norm));
  let bound = soft_float(float_bits(percentile_of_norms()));
  if (exceeds(bound, facts.maxNorm)) {
    return facts.maxNorm;
  }
  return bound;
}

fn remember(lane: u32) {
  workgroupBarrier();
  for (var i = lane; i < change.count; i += WORKGROUP) {
    state.words[change.newList + i] = changed(i);
  }
}
