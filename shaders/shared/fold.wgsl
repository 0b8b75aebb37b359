//#import shared/partial
//#import shared/workgroup

var<workgroup> found: array<Partial, WORKGROUP_SIZE>;

// The partials of a team of lanes, in the team's first lane; what the other lanes get means nothing. All lanes call this
// together, from the top level of main or from a loop that is the same for all. A team is a power of two of lanes, at most
// `widest`. Two calls may follow each other: after the last barrier a lane reads and writes its own place only.
// `widest` is a constant at every call, and `team` need not be: FXC, which Direct3D 11 and older Firefox use, refuses a barrier in a
// loop whose end it cannot prove to be the same for all lanes (error X3663,
// github.com/microsoft/DirectXShaderCompiler/issues/1306, 2018-05). Drop `widest` when no browser uses FXC any more.
// The step is no plain division by 2: RADV would count the turns and repeat the text for each of them, a quarter of finish.
fn folded(mine: Partial, lane: u32, widest: u32, team: u32) -> Partial {
  found[lane] = mine;
  workgroupBarrier();
  for (var half = widest / 2u; half > 0u; half -= (half + 1u) / 2u) {
    if (half < team && lane % team < half) {
      found[lane] = combined(found[lane], found[lane + half]);
    }
    workgroupBarrier();
  }
  return found[lane];
}
