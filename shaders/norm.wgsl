// Pass 1: partials[w] = the sum of squares, the largest magnitude and the non-finite values of workgroup w's tiles.
// Reads every gradient once; everything is decided on the integer bits, because a shader may assume that no NaN exists.

#slots
@group(0) @binding(SLOT) var<storage, read> gradients_SLOT: array<Word>;
#end
@group(1) @binding(0) var<uniform> table: Table;
@group(1) @binding(1) var<storage, read_write> partials: array<Partial>;

const MAGNITUDE = Word(0x7fffffffu);
const PLAIN_FROM = 0x27800000u; // 2^-48: what flushes to zero beside it in a tile is below 2^-26 of the sum
const BIG_FROM = 0x56800000u;   // 2^46
const SMALL_BELOW = 0x20000000u; // 2^-63
const SUBNORMAL_BELOW = 0x00800000u;

var<workgroup> found: array<Partial, 256>;

// Tile sums go to `run`, every 16th time `run` goes to `total`: long plain float32 sums lose digits.
var<private> run: Values;
var<private> total: Values;
var<private> runExtremes: vec2f; // big, small
var<private> totalExtremes: vec2f;
var<private> tiles: u32;
var<private> largest: u32;
var<private> faults: Partial; // only its non-finite part is used

fn fold_run() {
  total += run;
  run = Values();
  totalExtremes += runExtremes;
  runExtremes = vec2f();
}

fn note_fault(bits: u32, rank: u32, element: u32) {
  faults.flags |= select(INFINITY_SEEN, NAN_SEEN, bits > INFINITY_BITS);
  faults.nonFinite += 1u;
  if (is_before(rank, element, faults.firstRank, faults.firstElement)) {
    faults.firstRank = rank;
    faults.firstElement = element;
  }
}

// Squares one word value by value, each in the range where its square is a normal number.
fn add_by_range(word: Word, rank: u32, wordInSegment: u32) {
  var middle = 0.0;
  for (var lane = 0u; lane < LANES; lane += 1u) {
    let bits = lane_of(word, lane);
    if (bits >= INFINITY_BITS) {
      note_fault(bits, rank, wordInSegment * LANES + lane);
    } else if (bits >= BIG_FROM) {
      let scaled = bitcast<f32>(bits - (90u << 23u));
      runExtremes.x += scaled * scaled;
    } else if (bits >= SMALL_BELOW) {
      let value = bitcast<f32>(bits);
      middle += value * value;
    } else {
      // From the integer, so that devices that flush subnormals see them.
      let scaled = select(bitcast<f32>(bits + (96u << 23u)), f32(bits) * 0x1p-53f, bits < SUBNORMAL_BELOW);
      runExtremes.y += scaled * scaled;
    }
  }
  run += only(middle);
}

fn add_words(word0: Word, word1: Word, word2: Word, word3: Word, rank: u32, wordInSegment: u32) {
  let a = word0 & MAGNITUDE;
  let b = word1 & MAGNITUDE;
  let c = word2 & MAGNITUDE;
  let d = word3 & MAGNITUDE;
  let most = largest_of(max(max(a, b), max(c, d)));
  if (most >= PLAIN_FROM && most < BIG_FROM) {
    let x = bitcast<Values>(a);
    let y = bitcast<Values>(b);
    let z = bitcast<Values>(c);
    let w = bitcast<Values>(d);
    run += (x * x + y * y) + (z * z + w * w);
  } else if (most != 0u) {
    add_by_range(a, rank, wordInSegment);
    add_by_range(b, rank, wordInSegment + WORKGROUP);
    add_by_range(c, rank, wordInSegment + 2u * WORKGROUP);
    add_by_range(d, rank, wordInSegment + 3u * WORKGROUP);
  }
  largest = max(largest, most);
  tiles += 1u;
  if (tiles % 16u == 0u) {
    fold_run();
  }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  faults = nothing();
  let firstTile = workgroup.x * table.tilesPerWorkgroup;
  let endTile = firstTile + table.tilesPerWorkgroup;
  var s = first_segment(firstTile);

  #slots
  for (; s < slot_end(SLOTu) && table.segments[s].tile < endTile; s += 1u) {
    let segment = table.segments[s];
    let span = span_of(segment, firstTile, endTile, lane);
    var i = span.at;
    for (; i < span.wholeEnd; i += TILE) {
      add_words(gradients_SLOT[i], gradients_SLOT[i + WORKGROUP], gradients_SLOT[i + 2u * WORKGROUP],
        gradients_SLOT[i + 3u * WORKGROUP], segment.rank, i - segment.first);
    }
    for (; i < span.end; i += WORKGROUP) {
      add_words(gradients_SLOT[i], Word(), Word(), Word(), segment.rank, i - segment.first);
    }
  }
  #end

  fold_run();
  found[lane] = Partial(totalExtremes.x, sum_of(total), totalExtremes.y, largest,
    faults.nonFinite, faults.firstRank, faults.firstElement, faults.flags);
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      found[lane] = combined(found[lane], found[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    var sum = found[0];
    if (table.fresh == 0u) {
      sum = combined(partials[workgroup.x], sum);
    }
    partials[workgroup.x] = sum;
  }
}
