// What a clip found and decided: the first 64 bytes of the record, all that an optimizer's kernel needs. gradclip's
// src/record.ts reads the same layout.
struct ClipRecord {
  scale: vec2u, // bits of two float32 factors: multiply by both; the second is 1, or else the first is the smaller one
  flags: u32,   // 1 clipped, 2 skip, 4 NaN seen, 8 infinity seen, 16 spike
  norm: u32,    // bits of a float32, at most the largest finite one
  fraction: u32, // bits of norm = fraction * 2^power, fraction in [0.5, 1)
  power: i32,
  nonFinite: u32,
  firstPiece: u32,
  firstElement: u32,
  maxAbs: u32,  // bits
  steps: u32,
  clippedSteps: u32,
  skippedSteps: u32,
  maxNorm: u32, // bits of the bound that was used
  nonFiniteSteps: u32,
  badStepsInARow: u32, // skipped or non-finite
}
