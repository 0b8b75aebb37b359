//#import shared/soft_float
//#import shared/judge

// A step is skipped where its norm is above a number.
struct SkipMemory {
  norm: u32, // bits
}

fn prepare_skip(lane: u32) {}

fn is_spike(norm: SoftFloat, isFinite: bool) -> bool {
  return isFinite && exceeds(norm, soft_float(state.skip.norm));
}
