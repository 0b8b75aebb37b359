//#import shared/entry

// For a rule that remembers each norm by itself. finish_groups.wgsl has left the norms in the entries, and what becomes of those that
// are absent or not finite. This decides the others, after the verdict on everything, so that a skipped step changes no memory.
// A rule may go by that verdict alone for a while: then one norm counts for all.

@group(0) @binding(6) var<storage, read_write> entries: array<Entry>;

var<private> normNumber: u32 = NONE; // the norm whose memory the rule uses; NONE while everything is decided together
var<workgroup> verdict: Decision;
var<workgroup> isJoint: u32;

fn kept(bits: u32, power: i32) -> SoftFloat {
  return SoftFloat(select(((bits & FRACTION) | HIDDEN) << 8u, 0u, bits == 0u), power - 32);
}

// The norm after a clip that all share.
fn clipped_norm(norm: SoftFloat) -> SoftFloat {
  if ((verdict.flags & CLIPPED) == 0u) {
    return norm;
  }
  return product(norm, quotient(soft_float(verdict.bound), kept(verdict.fraction, verdict.power)));
}

fn decided_one(entry: Entry) -> Entry {
  var mine = entry;
  let faults = entry.flags & (NAN_SEEN | INFINITY_SEEN);
  let norm = kept(entry.fraction, entry.power);
  if ((verdict.flags & SPIKE) != 0u) {
    mine.scale = vec2u(0u, ONE_BITS);
    mine.flags = faults | SKIP | SPIKE;
  } else if (faults == 0u && entry.norm == NAN_BITS) { // absent
    return mine;
  } else if (isJoint != 0u) {
    mine.scale = verdict.scale;
    mine.flags = faults | (verdict.flags & (CLIPPED | SKIP));
    if ((verdict.flags & (NAN_SEEN | INFINITY_SEEN)) == 0u) {
      note_joint(clipped_norm(norm));
    }
  } else if (faults == 0u) {
    let gradScale = soft_float(grad_scale_bits());
    let decision = decide_finite(norm, quotient(norm, gradScale), SoftFloat(), SoftFloat(), gradScale);
    mine.scale = decision.scale;
    mine.flags = decision.flags;
  }
  return mine;
}

// Flags that any of the norms has.
fn flags_of_each(decision: Decision, lane: u32) -> u32 {
  if (lane == 0u) {
    verdict = decision;
    isJoint = u32(is_joint());
  }
  workgroupBarrier();
  var seen = nothing();
  for (normNumber = lane; normNumber < settings.groupCount; normNumber += WORKGROUP) {
    let decided = decided_one(entries[normNumber]);
    entries[normNumber] = decided;
    seen.flags |= decided.flags;
  }
  return folded(seen, lane, WORKGROUP, WORKGROUP).flags;
}
