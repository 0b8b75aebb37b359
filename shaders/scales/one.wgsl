//#import shared/record

// Where scale.wgsl finds the scale: the record has one for all gradients.
@group(1) @binding(1) var<uniform> record: ClipRecord;

fn segment_scaling(s: u32) -> Scaling {
  return Scaling(record.scale, record.flags);
}

fn is_untouched() -> bool {
  return work_of(segment_scaling(0u)) == LEAVE;
}
