// What a rule without a memory leaves out.
const REMEMBERS = false;

fn remember(lane: u32) {}
