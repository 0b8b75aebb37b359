// The scale from the total, which is set back for the next step.

struct Settings {
  count: u32,
  bound: f32,
}

struct Result {
  norm: f32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read_write> total: u32; // bits of a float32
@group(0) @binding(1) var<storage, read_write> result: Result;
@group(0) @binding(2) var<uniform> settings: Settings;

@compute @workgroup_size(1)
fn main() {
  let norm = sqrt(bitcast<f32>(total));
  result = Result(norm, min(1.0, settings.bound / norm));
  total = 0u;
}
