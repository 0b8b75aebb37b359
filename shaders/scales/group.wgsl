//#import shared/entry

// Where scale.wgsl finds the scale: every group has an entry.
@group(1) @binding(1) var<storage, read> entries: array<Entry>;

fn segment_scaling(s: u32) -> Scaling {
  let entry = entries[segment_at(s).group];
  return Scaling(entry.scale, entry.flags);
}

fn is_untouched() -> bool {
  return false;
}
