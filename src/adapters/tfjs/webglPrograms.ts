import type { NormKind } from "../../norms/norm.ts";

/** A program of tfjs-backend-webgl. Texels are read by their number: TensorFlow.js packs 2 x 2 values into each. */
export interface Program {
  readonly variableNames: readonly string[];
  readonly outputShape: readonly number[];
  readonly packedInputs: true;
  readonly packedOutput: boolean;
  readonly enableShapeUniforms: true;
  readonly customUniforms?: readonly Uniform[];
  readonly userCode: string;
}

interface Uniform {
  readonly name: string;
  readonly type: "vec4" | "ivec4" | "ivec3" | "ivec2";
  /** The length of an array. */
  readonly arrayIndex?: number;
}

/** The texels of a step's record. Each program of a group reads the one before and writes the next. */
export const RECORD_TEXELS = 8;

export const made = (
  variableNames: string[],
  outputShape: readonly number[],
  userCode: string,
  rest: object = {},
): Program => ({
  variableNames,
  outputShape,
  packedInputs: true,
  packedOutput: true,
  enableShapeUniforms: true,
  userCode,
  ...rest,
});

/** The uniforms of READ. */
export const gradient = [
  { name: "dims", type: "ivec4" },
  { name: "of", type: "ivec2" },
] as const;

/** `dims`: rows and columns of texels in a matrix, then of values. `of`: how many texels, and the number of the gradient. */
export const READ = `
  const uint BAD = 0x7f800000u;
  int texelOf(int t, out bvec4 isIn, out ivec4 element) {
    int matrix = t / (dims.x * dims.y);
    int row = 2 * (t / dims.y - matrix * dims.x);
    int column = 2 * (t % dims.y);
    bool right = column + 1 < dims.w;
    bool below = row + 1 < dims.z;
    isIn = bvec4(true, right, below, right && below);
    int first = (matrix * dims.z + row) * dims.w + column;
    element = ivec4(first, first + 1, first + dims.w, first + dims.w + 1);
    return t;
  }
  vec4 at(sampler2D texture_, int t) {
    int width = textureSize(texture_, 0).x;
    return texelFetch(texture_, ivec2(t % width, t / width), 0);
  }`;

/** The largest magnitude by its bits, so that a NaN exceeds all; how many are not finite; the place of the first of them. */
export const FOLD = `
  vec4 joined(vec4 a, vec4 b) {
    uint most = max(floatBitsToUint(a.x), floatBitsToUint(b.x));
    bool isSecond = a.y == 0. || (b.y > 0. && (b.z < a.z || (b.z == a.z && b.w < a.w)));
    return vec4(uintBitsToFloat(most), a.y + b.y, isSecond ? b.zw : a.zw);
  }
  vec4 folded(sampler2D texture_) {
    vec4 all = texelFetch(texture_, ivec2(0, 0), 0);
    for (int i = 1; i < textureSize(texture_, 0).x; i++) all = joined(all, texelFetch(texture_, ivec2(i, 0), 0));
    return all;
  }
  int exponentOf(float most) {
    return clamp(int(floatBitsToUint(most) >> 23) - 127, -126, 126);
  }
  float two(int power) {
    return power < -126 ? 0. : uintBitsToFloat(uint(127 + min(power, 127)) << 23);
  }`;

/** Adds a gradient to what each lane has found. */
export const mostProgram = (lanes: number): Program =>
  made(
    ["S", "A"],
    [2, 2 * lanes],
    `${READ}${FOLD}
  void main() {
    int lane = int(gl_FragCoord.x);
    vec4 all = texelFetch(S, ivec2(lane, 0), 0);
    for (int t = lane; t < of.x; t += ${lanes}) {
      bvec4 isIn;
      ivec4 element;
      texelOf(t, isIn, element);
      uvec4 bits = floatBitsToUint(at(A, t)) & 0x7fffffffu;
      for (int c = 0; c < 4; c++) {
        if (!isIn[c]) continue;
        bool isBad = bits[c] >= BAD;
        vec2 place = isBad ? vec2((of.y + 1) * 256 + (element[c] >> 24), element[c] & 0xffffff) : vec2(0);
        all = joined(all, vec4(uintBitsToFloat(bits[c]), isBad ? 1. : 0., place));
      }
    }
    setOutput(all);
  }`,
    { customUniforms: gradient },
  );

export const foldProgram = (): Program => made(["M"], [2, 2], `${FOLD} void main() { setOutput(folded(M)); }`);

const TERMS: Record<NormKind["name"], string> = {
  l1: "x",
  l2: "x * x",
  lp: "mix(pow(x, vec4(P)), vec4(0), equal(x, vec4(0)))",
  linf: "vec4(0)",
};

const ROOTS: Record<NormKind["name"], string> = {
  l1: "sum",
  l2: "sqrt(sum)",
  lp: "pow(sum, 1. / P)",
  linf: "all.x * two(-e)",
};

/**
 * Adds the terms of a gradient, over the power of two of the largest magnitude. Each sum has few addends: a long row of float32
 * would lose one part in a million.
 */
export const sumProgram = (lanes: number, kind: NormKind): Program =>
  made(
    ["S", "M", "A"],
    [2, 2 * lanes],
    `${powerOf(kind)}${READ}${FOLD}
  void main() {
    int lane = int(gl_FragCoord.x);
    vec4 sum = texelFetch(S, ivec2(lane, 0), 0);
    float down = two(-exponentOf(folded(M).x));
    vec4 few = vec4(0);
    vec4 some = vec4(0);
    for (int t = lane, i = 1; t < of.x; t += ${lanes}, i++) {
      bvec4 isIn;
      ivec4 element;
      texelOf(t, isIn, element);
      vec4 x = mix(vec4(0), abs(at(A, t)) * down, isIn);
      few += ${TERMS[kind.name]};
      if ((i & 15) == 0) some += few, few = vec4(0);
      if ((i & 255) == 0) sum += some, some = vec4(0);
    }
    setOutput(sum + (some + few));
  }`,
    { customUniforms: gradient },
  );

const LIMITED = `
  float limited(float value, out bool isOutside) {
    uint bits = floatBitsToUint(value) & 0x7fffffffu;
    float x = bits < BAD ? clamp(value * limits.z, -3.4028234e38, 3.4028234e38) : value;
    if (bits < BAD && limits.z == 1.) x = value;
    bool isBelow = bits == BAD ? value < 0. && isFinite(limits.x) : x < limits.x;
    bool isAbove = bits == BAD ? value > 0. && isFinite(limits.y) : x > limits.y;
    isOutside = bits <= BAD && (isBelow || isAbove);
    return !isOutside ? x : isBelow ? limits.x : limits.y;
  }`;

const FINITE = `
  bool isFinite(float value) { return (floatBitsToUint(value) & 0x7fffffffu) < BAD; }`;

/** The least and the largest value, and gradScale. */
const limits = { name: "limits", type: "vec4" } as const;

/** Counts the values of a gradient that are outside the limits. */
export const outsideProgram = (lanes: number): Program =>
  made(
    ["S", "A"],
    [2, 2 * lanes],
    `${READ}${FINITE}${LIMITED}
  void main() {
    int lane = int(gl_FragCoord.x);
    vec4 sum = texelFetch(S, ivec2(lane, 0), 0);
    for (int t = lane; t < of.x; t += ${lanes}) {
      bvec4 isIn;
      ivec4 element;
      texelOf(t, isIn, element);
      vec4 values = at(A, t);
      for (int c = 0; c < 4; c++) {
        bool isOutside;
        limited(values[c], isOutside);
        if (isIn[c] && isOutside) sum[c] += 1.;
      }
    }
    setOutput(sum);
  }`,
    { customUniforms: [...gradient, limits] },
  );

export const clampProgram = (shape: readonly number[]): Program =>
  made(
    ["A"],
    shape,
    `
  const uint BAD = 0x7f800000u;${FINITE}${LIMITED}
  void main() {
    ivec2 place = ivec2(gl_FragCoord.xy);
    int t = place.y * ((outTexShape.y + 1) / 2) + place.x;
    int width = textureSize(A, 0).x;
    vec4 value = texelFetch(A, ivec2(t % width, t / width), 0);
    bool isOutside;
    for (int c = 0; c < 4; c++) value[c] = limited(value[c], isOutside);
    setOutput(value);
  }`,
    { customUniforms: [limits] },
  );

/**
 * What follows from the norm n * 2^e of what shares it. `bounds`: bound, eps, gradScale, and the norm above which a step is skipped.
 * `kind.z`: 1 where the scale is never left out, 2 where values were limited one by one; `kind.w`: nonFinite.
 */
export const DECIDED = `
  vec4 decided(float n, int e, uint most, float outside, vec4 bounds) {
    float gradScale = bounds.z;
    float down = two(-e);
    float bound = bounds.x * down / gradScale;
    float divisor = n + bounds.y * down / gradScale;
    bool isBad = most >= 0x7f800000u;
    bool isSpike = !isBad && n > bounds.w * down / gradScale;
    bool isClipped = !isBad && !isSpike && n > 0. && (kind.z == 1 ? n != bound : divisor > bound);
    if (kind.z == 2) isClipped = outside > 0.;
    vec3 how = gradScale == 1. ? vec3(1, 1, 0) : vec3(1, gradScale, 1);
    if (isClipped) how = vec3(down, min(bounds.x / divisor, 3.4028234e38), 1);
    if (isSpike) how.z = 2.;
    if (isBad) how = vec3(1, 1, kind.w == 0 ? 2 : kind.w == 1 ? 0 : most > 0x7f800000u ? 3 : 4);
    bool isSkipped = isSpike || (isBad && kind.w == 0);
    int flags = (isClipped ? 1 : 0) + (isSkipped ? 2 : 0) + (most > 0x7f800000u ? 4 : 0) + (most == 0x7f800000u ? 8 : 0)
      + (isSpike ? 16 : 0);
    return vec4(how, flags);
  }`;

/** The texels of the record, from `how` with its flags, n and e, and what was found: `all`. `kind.xy`: whether it is the first and the last of the step. */
export const recorded = ({ name }: NormKind): string => `
  vec4 before(int texel) { return texelFetch(R, ivec2(texel, 0), 0); }
  vec4 recorded(vec4 how, float n, int e, vec4 all) {
    int flags = int(how.w);
    vec4 step = kind.x == 1 ? vec4(0, -126, 0, 0) : before(2);
    vec4 seen = kind.x == 1 ? vec4(0) : before(3);
    int power = max(int(step.y), e);
    vec2 parts = vec2(step.x * two(int(step.y) - power), n * two(e - power));
    vec4 found = joined(seen, all);
    int union_ = int(step.z) | flags;
    vec4 counts = before(4);
    vec4 more = before(5);
    vec4 last = before(6);
    if (kind.y == 1) {
      bool isBadStep = (union_ & 14) != 0;
      counts += vec4(1, union_ & 1, (union_ >> 1) & 1, (union_ & 12) != 0 ? 1 : 0);
      more.xy = vec2(more.x + float((union_ >> 4) & 1), isBadStep ? more.y + 1. : 0.);
      if (found.y > 0.) {
        more.zw = vec2(counts.x, found.z);
        last.x = found.w;
      }
    }
    int texel = int(gl_FragCoord.x);
    if (texel == 0) return how;
    if (texel == 1) return vec4(n, e, bounds.x, bounds.z);
    if (texel == 2) return vec4(${name === "l2" ? "sqrt(dot(parts, parts))" : "parts.x + parts.y"}, power, union_, 0);
    if (texel == 3) return found;
    if (texel == 4) return counts;
    if (texel == 5) return more;
    return last;
  }`;

/** For the programs that decide. */
export const decision = [
  { name: "bounds", type: "vec4" },
  { name: "kind", type: "ivec4" },
] as const;

/**
 * The decision of a group. Texels: 0 the factors and what to do, 1 its norm, bound and gradScale, 2 and 3 what the groups of the
 * step have in common, 4 to 6 the counts.
 */
export const decisionProgram = (kind: NormKind): Program =>
  made(
    ["M", "S", "R"],
    [2, 2 * RECORD_TEXELS],
    `${powerOf(kind)}${FOLD}${DECIDED}${recorded(kind)}
  void main() {
    vec4 all = folded(M);
    uint most = floatBitsToUint(all.x);
    int e = exponentOf(all.x);
    vec4 few = vec4(0);
    vec4 sums = vec4(0);
    for (int i = 0, lanes = textureSize(S, 0).x; i < lanes; i++) {
      few += texelFetch(S, ivec2(i, 0), 0);
      if ((i & 31) == 31 || i == lanes - 1) sums += few, few = vec4(0);
    }
    float sum = (sums.x + sums.y) + (sums.z + sums.w);
    float n = most == 0u ? 0. : ${ROOTS[kind.name]};
    setOutput(recorded(decided(n, e, most, sum, bounds), n, e, all));
  }`,
    { customUniforms: decision },
  );

/** What to do with values: 0 nothing, 1 multiply by both factors, 2 zeros, 3 NaN, 4 zeros and NaN where they are not finite. */
export const SCALED = `
  float scaled(float value, vec4 how) {
    int mode = int(how.z);
    float none = uintBitsToFloat(0x7fc00000u);
    if (mode == 1) return value * how.x * how.y;
    if (mode == 2) return 0.;
    if (mode == 3) return none;
    if (mode == 4) return (floatBitsToUint(value) & 0x7fffffffu) >= 0x7f800000u ? none : 0.;
    return value;
  }`;

export const scaleProgram = (shape: readonly number[]): Program =>
  made(
    ["A", "D"],
    shape,
    `${SCALED}
  void main() {
    ivec2 place = ivec2(gl_FragCoord.xy);
    int t = place.y * ((outTexShape.y + 1) / 2) + place.x;
    int width = textureSize(A, 0).x;
    vec4 value = texelFetch(A, ivec2(t % width, t / width), 0);
    vec4 how = texelFetch(D, ivec2(0, 0), 0);
    for (int c = 0; c < 4; c++) value[c] = scaled(value[c], how);
    setOutput(value);
  }`,
  );

/** Whether the step is skipped, from the record of its last group. */
export const verdictProgram = (): Program =>
  made(["R"], [], "void main() { setOutput(float((int(texelFetch(R, ivec2(2, 0), 0).z) >> 1) & 1)); }", {
    packedOutput: false,
  });

/** NormKind has the p in fixed point: 23 bits, then the number of fraction bits. */
function powerOf({ fixedPower }: NormKind): string {
  const power = (fixedPower % 2 ** 23) / 2 ** Math.floor(fixedPower / 2 ** 23);
  return `\n  const float P = ${power.toExponential(8)};`;
}
