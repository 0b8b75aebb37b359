//#import shared/table
//#if EDGES
//#import shared/unaligned
//#end

// Which words of which bindings a workgroup works on.
const TILE = 4u * WORKGROUP; // words: four a lane
const NO_SLOT = 0xffffffffu;

// The words of a segment that a workgroup works on.
struct Span {
  begin: u32,
  end: u32,
}

// Whether tiles of a segment come before the end of the workgroup's. The segments of a binding stand together. So each binding
// has a loop of its own, and all these loops together go through the segments once. If each segment chose its binding, devices
// that compute in vectors, with masks for branches, would go through as many cases as there are bindings for each segment.
fn is_met(s: u32, endTile: u32) -> bool {
  return s < table.segmentCount && segment_at(s).tile < endTile;
}

fn slot_met(s: u32, endTile: u32) -> u32 {
  return select(NO_SLOT, segment_at(s).slot, is_met(s, endTile));
}

fn span_of(segment: Segment, firstTile: u32, endTile: u32) -> Span {
  let skipped = max(firstTile, segment.tile) - segment.tile;
  let begin = min(skipped * TILE, segment.count);
  let end = min((endTile - segment.tile) * TILE, segment.count);
  return Span(segment.first + begin, segment.first + end);
}

// Every span ends within its bindings anyway. But the question for their lengths makes RADV load their descriptors before the loop.
// Without it RADV loads them in every turn and waits for them.
fn within(span: Span, length: u32) -> Span {
  return Span(span.begin, min(span.end, length));
}

// Whether the device counts subnormal float16s. It is asked for products, as compilers join them with the decoding to one instruction:
// AMD's v_mad_mix_f32 flushes what v_cvt_f32_f16 keeps. No compiler knows the numbers, and they stay subnormal, as a dispatch has at most
// 240 segments; as bfloat16s they are normal, which every device keeps.
fn keeps_values() -> bool {
  let word = Word(0x02000200u + 0x10001u * table.segmentCount);
  let low = values_of(word);
  let high = more_values_of(word);
  let exact = bitcast<f32>(element_of(word, 0u));
  return all(low * low + high * high == Values(2.0 * exact * exact)) || !PACKED;
}

// Where the whole tiles end.
fn whole_end(begin: u32, end: u32) -> u32 {
  return begin + (end - begin) / TILE * TILE;
}

// The number in the segment of a word's first element.
fn element_number(segment: Segment, i: u32) -> u32 {
  var number = (i - segment.first) * ELEMENTS;
  //#if EDGES
  number += segment.edges & FIRST_HALF;
  //#end
  return number;
}
