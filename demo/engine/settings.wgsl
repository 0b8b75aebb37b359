// What both kernels of AdamW need to know.
struct Settings {
  rate: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  decay: f32,
}

const SKIP = 2u; // in the record's flags: a gradient was NaN or infinite
