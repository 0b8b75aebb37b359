//#import format
//#import shared/segment
//#import shared/spans
//#import shared/store
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

// A positive normal number; anything else makes every value a NaN.
fn grad_scale_bits() -> u32 {
  var bits = byte4.x | (byte5.x << 8u) | (byte6.x << 16u) | (byte7.x << 24u);
  if (table.gradScaleIndex != NONE) {
    bits = gradScaleSource[table.gradScaleIndex];
  }
  return select(NAN_BITS, bits, bits >= HIDDEN && bits < INFINITY_BITS);
}

// Numbers are in the order of these integers; both zeros are 0.
fn order(bits: u32) -> i32 {
  let magnitude = i32(bits & 0x7fffffffu);
  return select(magnitude, -magnitude, bits > 0x7fffffffu);
}

// Words whose largest magnitude is below this do not change, and nothing in them is counted.
fn exact_from(factor: u32) -> u32 {
  let nearer = min(-order(table.low), order(table.high));
  if (factor != ONE_BITS || nearer < 0) {
    return 0u;
  }
  return min(u32(nearer) + 1u, INFINITY_BITS);
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
  let isLow = order(bits) < order(table.low);
  let isHigh = order(bits) > order(table.high);
  (*mine).flags |= select(0u, CLIPPED, isLow || isHigh);
  return select(select(bits, table.high, isHigh), table.low, isLow);
}

fn clamped_word(mine: ptr<function, Partial>, word: Word, factor: u32, piece: u32, element: u32) -> Word {
  var changed = word;
  for (var k = 0u; k < ELEMENTS; k += 1u) {
    let before = element_of(word, k);
    let bits = clamped_bits(mine, before, factor, piece, element + k);
    if (bits != before) {
      changed = with_element(changed, k, bits);
    }
  }
  return changed;
}

//#if EDGES
fn clamp_edge(mine: ptr<function, Partial>, segment: Segment, lane: u32, factor: u32) {
  let before = edge_bits(segment, lane);
  let bits = clamped_bits(mine, before, factor, segment.piece, edge_element(segment, lane));
  if (bits != before || !IN_PLACE) {
    set_edge(segment, lane, bits);
  }
}
//#end

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let factor = grad_scale_bits();
  let exactFrom = exact_from(factor);
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  var mine = nothing();
  var largest = Word();

  let start = first_segment(firstTile);

  //#if EDGES
  for (var s = start; is_met(s, endTile); s += 1u) {
    let segment = segment_at(s);
    if (has_edge(segment, firstTile, lane)) {
      clamp_edge(&mine, segment, lane, factor);
    }
    if ((segment.edges & HALF_OFF) != 0u) {
      let span = span_of(segment, firstTile, endTile);
      for (var i = span.begin + lane; i < span.end; i += WORKGROUP) {
        let word = half_off_word(segment.slot, i);
        let changed = clamped_word(&mine, word, factor, segment.piece, element_number(segment, i));
        set_word(segment.slot, i + segment.into - segment.first, changed);
      }
    }
  }
  //#end
  var s = start;
  var slot = slot_met(s, endTile);
  // Repeated for every binding: a switch inside the loop over words costs 6 times the time (see README.md).
  //#for slot
  while (slot == SLOTu) {
    let segment = segment_at(s);
    let shift = segment.into - segment.first; // wraps around where it is negative
    var span = within(span_of(segment, firstTile, endTile), min(arrayLength(&gradients_SLOT), arrayLength(&TARGET_SLOT) - shift));
    //#if EDGES
    if ((segment.edges & HALF_OFF) != 0u) {
      span.end = span.begin;
    }
    //#end
    for (var i = span.begin + lane; i < span.end; i += TILE) {
      if (i + 3u * WORKGROUP < span.end) {
        let a = gradients_SLOT[i];
        let b = gradients_SLOT[i + WORKGROUP];
        let c = gradients_SLOT[i + 2u * WORKGROUP];
        let d = gradients_SLOT[i + 3u * WORKGROUP];
        let top = max(max(magnitude(a), magnitude(b)), max(magnitude(c), magnitude(d)));
        if (largest_of(top) < exactFrom) {
          largest = max(largest, top);
          if (!IN_PLACE) {
            TARGET_SLOT[i + shift] = a;
            TARGET_SLOT[i + shift + WORKGROUP] = b;
            TARGET_SLOT[i + shift + 2u * WORKGROUP] = c;
            TARGET_SLOT[i + shift + 3u * WORKGROUP] = d;
          }
          continue;
        }
      }
      for (var j = i; j < min(i + TILE, span.end); j += WORKGROUP) {
        let word = gradients_SLOT[j];
        let changed = clamped_word(&mine, word, factor, segment.piece, element_number(segment, j));
        if (any(changed != word) || !IN_PLACE) { // in this order: see IN_PLACE in README.md
          TARGET_SLOT[j + shift] = changed;
        }
      }
    }
    s += 1u;
    slot = slot_met(s, endTile);
  }
  //#end
  mine.largest = max(mine.largest, largest_of(largest));

  let all = folded(mine, lane, WORKGROUP, WORKGROUP);
  if (lane == 0u) {
    store(all, workgroup.x);
  }
}
