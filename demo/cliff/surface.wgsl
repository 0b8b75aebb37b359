// log10 of the error of Pascanu et al.'s unit, E = (s(x_50) - 0.7)^2, at each pixel; twin of surface.ts.

struct View {
  low: vec2f, // w, b
  high: vec2f,
}

@group(0) @binding(0) var<uniform> view: View;

const palette = array(PALETTE);

struct Corner {
  @builtin(position) position: vec4f,
  @location(0) place: vec2f,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
  // One triangle that covers everything.
  let place = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
  return Corner(vec4f(2.0 * place - 1.0, 0.0, 1.0), place);
}

fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}

@fragment
fn pixel(input: Corner) -> @location(0) vec4f {
  let parameters = mix(view.low, view.high, input.place);
  var x = 0.5;
  for (var t = 0; t < 50; t++) {
    x = parameters.x * sigmoid(x) + parameters.y;
  }
  let miss = sigmoid(x) - 0.7;
  let height = clamp(1.0 + log2(max(miss * miss, 1e-12)) * (0.30103 / 4.0), 0.0, 1.0) * 4.0;
  let index = min(u32(height), 3u);
  var colors = palette;
  return vec4f(mix(colors[index], colors[index + 1u], height - f32(index)), 1.0);
}
