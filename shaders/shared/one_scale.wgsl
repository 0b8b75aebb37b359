// Where scale.wgsl finds the scale: the record has one for all gradients.
@group(1) @binding(1) var<uniform> record: ClipRecord;

fn scaling_of(segment: Segment) -> Scaling {
  return Scaling(record.scale, record.flags);
}
