//#import format
//#import shared/segment
//#import shared/spans
//#import shared/store
//#import shared/multiplied
//#import shared/bits
//#import shared/targets
//#if EDGES
//#import shared/unaligned_targets
//#end

// Clip by value, the only pass that reads and writes: x = gradScale * gradient; gradient = low where x < low, high where
// x > high, else x. An infinity goes to its limit, a NaN stays. In place only what changes is written.
// partials[w] = the largest magnitude, the non-finite values and whether any value was clipped in workgroup w's tiles.

@group(1) @binding(2) var<storage, read> gradScaleSource: array<u32>;
// The bits of gradScale, a byte each: see decide.wgsl.
@group(1) @binding(3) var<uniform> byte4: vec4u;
@group(1) @binding(4) var<uniform> byte5: vec4u;
@group(1) @binding(5) var<uniform> byte6: vec4u;
@group(1) @binding(6) var<uniform> byte7: vec4u;

const CLIPPED = 1u;
const NAN_BITS = 0x7fc00000u;
const ONE_BITS = 0x3f800000u;
const SIGN = 0x80000000u;

// A positive normal number; anything else makes every value a NaN.
fn grad_scale_bits() -> u32 {
  var bits = byte4.x | (byte5.x << 8u) | (byte6.x << 16u) | (byte7.x << 24u);
  if (table.gradScaleIndex != NONE) {
    bits = gradScaleSource[table.gradScaleIndex];
  }
  return select(NAN_BITS, bits, bits >= HIDDEN && bits < INFINITY_BITS);
}

// Numbers are in the order of these integers; both zeros are the same one.
fn order(bits: Word) -> Word {
  return select(bits | Word(SIGN), Word(0u) - bits, bits >= Word(SIGN));
}

fn is_above(bits: u32, limit: u32) -> bool {
  return any(order(Word(bits)) > order(Word(limit)));
}

// What is to be done, the same in all lanes.
struct Clamping {
  factor: u32,
  low: Word, // as `order` has it
  high: Word,
  unchangedBelow: u32, // words do not change whose largest magnitude is below
  // In plain words no value is to be counted, and each product is a normal number or 0: magnitudes are below the first of
  // these, and above the other or 0.
  plainBelow: u32,
  tiny: u32,
}

fn clamping() -> Clamping {
  let factor = grad_scale_bits();
  var found = Clamping(factor, order(Word(table.low)), order(Word(table.high)), 0u, INFINITY_BITS, 0u);
  let exponent = i32(factor >> 23u) - 127;
  if (factor == NAN_BITS) {
    found.plainBelow = 0u;
  } else if (factor != ONE_BITS) {
    found.plainBelow = u32(min(254 - exponent, 255)) << 23u;
    found.tiny = (u32(max(1 - exponent, 1)) << 23u) - 1u;
  } else if (table.low > SIGN && table.high < SIGN) {
    found.unchangedBelow = min(min(table.low & ~SIGN, table.high) + 1u, INFINITY_BITS);
  }
  return found;
}

fn has_tiny(bits: Word, tiny: u32) -> bool {
  return any(((bits & Word(~SIGN)) - Word(1u)) < Word(tiny)); // 0 wraps around
}

fn is_plain(word: Word, all: Clamping) -> bool {
  let hasTiny = has_tiny(bits_of(word), all.tiny) || has_tiny(more_bits_of(word), all.tiny);
  return largest_of(magnitude(word)) < all.plainBelow && !hasTiny;
}

// Elements of plain words.
fn clamped_plainly(mine: ptr<function, Partial>, bits: Word, all: Clamping) -> Word {
  let scaled = multiplied(bits, bitcast<f32>(all.factor), 0u);
  let place = order(scaled);
  let isLow = place < all.low;
  let isHigh = place > all.high;
  (*mine).flags |= select(0u, CLIPPED, any(isLow | isHigh));
  return select(select(scaled, Word(table.high), isHigh), Word(table.low), isLow);
}

fn clamped_plain_word(mine: ptr<function, Partial>, word: Word, all: Clamping) -> Word {
  let bits = clamped_plainly(mine, bits_of(word), all);
  var more = Word();
  if (PACKED) {
    more = clamped_plainly(mine, more_bits_of(word), all);
  }
  return word_with(bits, more);
}

// Products that leave float32's range become its largest number, which is at or beyond every finite limit.
fn scaled_bits(bits: u32, factor: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (factor == ONE_BITS || magnitude > INFINITY_BITS) {
    return bits;
  }
  if (factor == NAN_BITS) {
    return NAN_BITS;
  }
  if (magnitude == 0u || magnitude == INFINITY_BITS) {
    return bits;
  }
  let exponent = i32(magnitude >> 23u) + i32(factor >> 23u) - 127;
  if (magnitude >= HIDDEN && exponent > 0 && exponent < 254) {
    return bitcast<u32>(bitcast<f32>(bits) * bitcast<f32>(factor));
  }
  return float_bits(product(soft_float(bits), soft_float(factor))) | (bits & 0x80000000u);
}

fn clamped_bits(mine: ptr<function, Partial>, before: u32, factor: u32, piece: u32, element: u32) -> u32 {
  let magnitude = before & 0x7fffffffu;
  (*mine).largest = max((*mine).largest, magnitude);
  if (magnitude >= INFINITY_BITS) {
    note_fault(mine, magnitude, piece, element);
  }
  let bits = scaled_bits(before, factor);
  if ((bits & 0x7fffffffu) > INFINITY_BITS) {
    return bits;
  }
  let isLow = is_above(table.low, bits);
  let isHigh = is_above(bits, table.high);
  (*mine).flags |= select(0u, CLIPPED, isLow || isHigh);
  return select(select(bits, table.high, isHigh), table.low, isLow);
}

// Edges, words that lie half a word off, and what follows the first word of the lane that is not plain: that is
// the word `i` of segment `rest`.
fn clamp_slowly(mine: ptr<function, Partial>, factor: u32, s: u32, rest: u32, restWord: u32, firstTile: u32, endTile: u32, lane: u32) {
  let segment = segment_at(s);
  let span = span_of(segment, firstTile, endTile);
  var i = select(span.begin + lane, restWord, s == rest);
  var isHalfOff = false;
  //#if EDGES
  if (has_edge(segment, firstTile, lane)) {
    let before = edge_bits(segment, lane);
    let bits = clamped_bits(mine, before, factor, segment.piece, edge_element(segment, lane));
    if (bits != before || !IN_PLACE) {
      set_edge(segment, lane, bits);
    }
  }
  isHalfOff = (segment.edges & HALF_OFF) != 0u;
  if (s < rest && !isHalfOff) {
    return;
  }
  //#end
  for (; i < span.end; i += WORKGROUP) {
    var word = word_of(segment.slot, i);
    //#if EDGES
    if (isHalfOff) {
      word = joined_halves(word, word_of(segment.slot, i + 1u));
    }
    //#end
    var changed = word;
    for (var k = 0u; k < ELEMENTS; k += 1u) {
      let bits = clamped_bits(mine, element_of(word, k), factor, segment.piece, element_number(segment, i) + k);
      changed = with_element(changed, k, bits);
    }
    if (any(changed != word) || !IN_PLACE) { // in this order: see IN_PLACE in README.md
      set_word(segment.slot, i + segment.into - segment.first, changed);
    }
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let all = clamping();
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  var mine = nothing();
  var largest = Word();
  // The first word of the lane that is not plain.
  var rest = NONE;
  var restWord = 0u;

  let start = first_segment(firstTile);
  var s = start;
  var slot = slot_met(s, endTile);
  // Repeated for every binding: a switch inside the loop over words costs 6 times the time (see README.md).
  //#for slot
  while (slot == SLOTu) {
    let segment = segment_at(s);
    let shift = segment.into - segment.first; // wraps around where it is negative
    var span = within(span_of(segment, firstTile, endTile), min(PARTS * arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));
    //#if EDGES
    if ((segment.edges & HALF_OFF) != 0u) {
      span.end = span.begin;
    }
    //#end
    let wholeEnd = whole_end(span.begin, span.end);
    var i = span.begin + lane;
    while (i < span.end && rest == NONE) {
      // Of a whole tile, four words are on their way at once.
      var word = read_SLOT(i);
      var second = word;
      var third = word;
      var fourth = word;
      var stop = i + WORKGROUP;
      if (i < wholeEnd) {
        second = read_SLOT(i + WORKGROUP);
        third = read_SLOT(i + 2u * WORKGROUP);
        fourth = read_SLOT(i + 3u * WORKGROUP);
        stop = i + TILE;
      }
      let top = max(max(magnitude(word), magnitude(second)), max(magnitude(third), magnitude(fourth)));
      let isUnchanged = largest_of(top) < all.unchangedBelow;
      if (isUnchanged && IN_PLACE) {
        largest = max(largest, top);
        i = stop;
      }
      for (; i < stop; i += WORKGROUP) {
        var changed = word;
        if (!isUnchanged) {
          if (!is_plain(word, all)) {
            rest = s;
            restWord = i;
            break;
          }
          changed = clamped_plain_word(&mine, word, all);
        }
        largest = max(largest, magnitude(word));
        if (any(changed != word) || !IN_PLACE) { // in this order: see IN_PLACE in README.md
          TARGET_SLOT[i + shift] = changed;
        }
        word = second;
        second = third;
        third = fourth;
      }
    }
    s += 1u;
    slot = slot_met(s, endTile);
  }
  //#end
  mine.largest = largest_of(largest);

  s = rest;
  //#if EDGES
  s = start;
  //#end
  for (; is_met(s, endTile); s += 1u) {
    clamp_slowly(&mine, all.factor, s, rest, restWord, firstTile, endTile, lane);
  }

  let found = folded(mine, lane, WORKGROUP, WORKGROUP);
  if (lane == 0u) {
    store(found, workgroup.x);
  }
}
