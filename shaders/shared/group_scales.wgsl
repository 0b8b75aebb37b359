// Where scale.wgsl finds the scale: every group has an entry.
@group(1) @binding(1) var<storage, read> entries: array<Entry>;

fn scaling_of(segment: Segment) -> Scaling {
  let entry = entries[segment.group];
  return Scaling(entry.scale, entry.flags);
}
