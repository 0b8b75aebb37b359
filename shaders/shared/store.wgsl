//#import shared/fold
//#import shared/table

@group(1) @binding(1) var<storage, read_write> partials: array<Partial>;

// Where several dispatches share partials, the first dispatch sets them and the others add to them.
fn store(mine: Partial, workgroup: u32) {
  let at = table.firstPartial + workgroup;
  var all = mine;
  if (table.accumulates != 0u) {
    all = combined(partials[at], all);
  }
  partials[at] = all;
}
