import type { TensorInfo } from "@tensorflow/tfjs-core";
import { l2 } from "../../norms/l2.ts";
import { MOST_AXES, type Units } from "../../units.ts";
import * as programs from "./webglPrograms.ts";

/** How many lanes, at most, share the units of a gradient; of more units each has one lane. */
const MOST_LANES = 1024;
/** The texels in a row of a texture that has some for each lane or unit. */
const WIDTH = 1024;

export interface Packed {
  readonly info: TensorInfo;
  /** Rows and columns of texels in a matrix, then of values. */
  readonly dims: readonly number[];
  /** Of the tensor. */
  readonly shape: number[];
  /** Whether the texture was made for this step. */
  readonly isOwn: boolean;
}

/** What runs the programs, and what they take of a step. */
export interface UnitsStep {
  run(program: programs.Program, inputs: readonly TensorInfo[], uniforms: readonly (readonly number[])[]): TensorInfo;
  free(info: TensorInfo): void;
  /** The number of the gradient. */
  readonly place: number;
  readonly record: TensorInfo;
  readonly bounds: readonly number[];
  readonly kind: readonly number[];
}

/**
 * Clips each unit of a gradient by its own norm, with a parameter by the ratio of both norms. Leaves the record that goes on with it.
 */
export function clipUnits(
  step: UnitsStep,
  { count, size, axes }: Units,
  { info, dims }: Packed,
  parameter: Packed | undefined,
): { clipped: TensorInfo; record: TensorInfo } {
  const lanes = lanesFor(count, size);
  const shares = [lanes, count, size];
  const division = [axesOf(axes), shares];
  const both = parameter ? [info, parameter.info] : [info];
  const seen = step.run(seenProgram(areaOf((1 + both.length) * lanes * count), both.length), both, [
    dims,
    [0, step.place],
    ...division,
  ]);
  const decided = step.run(decidedProgram(areaOf(count), both.length), [seen], [step.bounds, step.kind, shares]);
  const record = recordOf(step, seen, decided, shares, both.length);
  const clipped = step.run(unitScaleProgram(info.shape), [info, decided], [dims, [0, 0], ...division]);
  step.free(seen);
  step.free(decided);
  return { clipped, record };
}

/** @throws RangeError for more units than a texture of so many texels in a row and in a column has room for. */
export function refuseManyUnits({ count, size }: Units, withParameter: boolean, most: number, label: string): void {
  const texels = withParameter ? 3 : 2;
  const room = Math.floor(most ** 2 / texels);
  if (lanesFor(count, size) * count <= room) return;
  throw new RangeError(`${label} has ${count} units, but a texture has room for ${room}; reduce more axes.`);
}

function lanesFor(count: number, size: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, Math.min(size, MOST_LANES / count))));
}

/** The record that goes on with a gradient. What many lanes have found is folded first: one alone would take long for it. */
function recordOf(
  step: UnitsStep,
  seen: TensorInfo,
  decided: TensorInfo,
  shares: readonly number[],
  tensors: number,
): TensorInfo {
  const [lanes = 1, count = 1] = shares;
  const decision = [step.bounds, step.kind];
  if (lanes * count <= MOST_LANES) {
    return step.run(jointProgram(tensors), [seen, decided, step.record], [...decision, shares]);
  }
  const folds = 2 ** Math.round(Math.log2(lanes * count) / 2);
  const folded = step.run(foldedProgram(areaOf(2 * folds), tensors, folds), [seen, decided], [shares]);
  const record = step.run(jointProgram(1), [folded, decided, step.record], [...decision, [folds, 1, 0]]);
  step.free(folded);
  return record;
}

/** Of each axis its length, and what a step along it adds to the number of the element and of the unit. */
function axesOf(axes: Units["axes"]): number[] {
  let step = 1;
  const numbers = axes.flatMap(({ length, stride }) => {
    const ofAxis = [length, step, stride];
    step *= length;
    return ofAxis;
  });
  return [...numbers, ...Array<number>(3 * MOST_AXES - numbers.length).fill(0)];
}

function areaOf(texels: number): [number, number] {
  return [2 * Math.ceil(texels / WIDTH), 2 * Math.min(texels, WIDTH)];
}

/** Lanes of a unit, units, and the values of a unit. */
const shares = { name: "shares", type: "ivec3" } as const;
const division = [{ name: "axes", type: "ivec3", arrayIndex: MOST_AXES }, shares] as const;

const HERE = `
  int texelHere() { return int(gl_FragCoord.y) * ((outTexShape.y + 1) / 2) + int(gl_FragCoord.x); }`;

const ELEMENTS = `
  int elementOf(int unit, int i) {
    int element = 0;
    for (int a = 0; a < ${MOST_AXES} && axes[a].x > 0; a++) {
      ivec3 axis = axes[a];
      if (axis.z > 0) {
        element += unit / axis.z % axis.x * axis.y;
      } else {
        element += i % axis.x * axis.y;
        i /= axis.x;
      }
    }
    return element;
  }
  float valueAt(sampler2D texture_, int element) {
    int column = element % dims.w;
    int row = element / dims.w % dims.z;
    int matrix = element / (dims.w * dims.z);
    vec4 texel = at(texture_, (matrix * dims.x + row / 2) * dims.y + column / 2);
    return texel[2 * (row % 2) + column % 2];
  }`;

/**
 * What each lane finds in its part of a unit. Texels of a lane: 0 the largest magnitude and the sum of squares over its power of two;
 * 1 how many values are not finite, and the place of the first; 2 as 0, of the parameter.
 */
const seenProgram = (shape: readonly number[], tensors: number): programs.Program =>
  programs.made(
    ["A", "P"].slice(0, tensors),
    shape,
    `${programs.READ}${programs.FOLD}${HERE}${ELEMENTS}
  vec4 squaresOf(sampler2D texture_, int unit, int lane) {
    uint bad = 0u;
    float most = 0.;
    int e = -126;
    float few = 0.;
    float some = 0.;
    float sum = 0.;
    for (int i = lane, k = 1; i < shares.z; i += shares.x, k++) {
      float x = abs(valueAt(texture_, elementOf(unit, i)));
      if (floatBitsToUint(x) >= BAD) {
        bad = max(bad, floatBitsToUint(x));
        x = 0.;
      }
      if (x > most) {
        most = x;
        float down = two(e - exponentOf(x));
        few *= down * down;
        some *= down * down;
        sum *= down * down;
        e = exponentOf(x);
      }
      x *= two(-e);
      few += x * x;
      if ((k & 15) == 0) some += few, few = 0.;
      if ((k & 255) == 0) sum += some, some = 0.;
    }
    return vec4(uintBitsToFloat(max(bad, floatBitsToUint(most))), sum + (some + few), 0, 0);
  }
  vec4 faultsOf(int unit, int lane) {
    vec4 faults = vec4(0);
    for (int i = lane; i < shares.z; i += shares.x) {
      int element = elementOf(unit, i);
      if ((floatBitsToUint(valueAt(A, element)) & 0x7fffffffu) < BAD) continue;
      if (faults.x == 0.) faults.yz = vec2((of.y + 1) * 256 + (element >> 24), element & 0xffffff);
      faults.x += 1.;
    }
    return faults;
  }
  void main() {
    int lane = texelHere() / ${1 + tensors};
    int unit = lane / shares.x;
    int what = texelHere() % ${1 + tensors};
    lane %= shares.x;
    vec4 result = vec4(0);
    if (unit < shares.y) {
      if (what == 0) result = squaresOf(A, unit, lane);
      if (what == 1) result = faultsOf(unit, lane);
      ${tensors === 2 ? "if (what == 2) result = squaresOf(P, unit, lane);" : ""}
    }
    setOutput(result);
  }`,
    { customUniforms: [...programs.gradient, ...division] },
  );

/** The sum of squares that some lanes have together, over a power of two, and the norm: n and e. */
const together = (tensors: number) => `
  vec4 at(sampler2D texture_, int t) {
    int width = textureSize(texture_, 0).x;
    return texelFetch(texture_, ivec2(t % width, t / width), 0);
  }
  vec4 seen(int lane, int what) { return at(C, lane * ${1 + tensors} + what); }
  vec2 sumOf(int first, int count, int what, out uint most) {
    most = 0u;
    for (int i = 0; i < count; i++) most = max(most, floatBitsToUint(seen(first + i, what).x));
    int e = exponentOf(uintBitsToFloat(most));
    float few = 0.;
    float some = 0.;
    float sum = 0.;
    for (int i = 0; i < count; i++) {
      vec4 lane = seen(first + i, what);
      float down = two(exponentOf(lane.x) - e);
      few += lane.y * down * down;
      if ((i & 15) == 15) some += few, few = 0.;
      if ((i & 255) == 255) sum += some, some = 0.;
    }
    return vec2(sum + (some + few), e);
  }
  vec2 normOf(int first, int count, int what, out uint most) {
    vec2 sum = sumOf(first, count, what, most);
    return vec2(sqrt(sum.x), sum.y);
  }`;

/** The decision of each unit. With parameters `bounds` has the ratio, and the least norm of a parameter that counts. */
const decidedProgram = (shape: readonly number[], tensors: number): programs.Program =>
  programs.made(
    ["C"],
    shape,
    `${programs.FOLD}${HERE}${together(tensors)}${programs.DECIDED}
  void main() {
    int unit = texelHere();
    vec4 result = vec4(0);
    if (unit < shares.y) {
      uint most;
      vec2 norm = normOf(unit * shares.x, shares.x, 0, most);
      vec4 own = vec4(bounds.x, 0, bounds.zw);
      ${tensors === 2 ? WITH_PARAMETER : ""}
      result = decided(norm.x, int(norm.y), most, 0., own);
    }
    setOutput(result);
  }`,
    { customUniforms: [...programs.decision, shares] },
  );

const WITH_PARAMETER = `
      uint mostOfParameter;
      vec2 size = normOf(unit * shares.x, shares.x, 2, mostOfParameter);
      float largest = 3.4028234e38;
      own.x = min(own.x * max(min(size.x * two(int(size.y)), largest), bounds.y), largest);
      if (mostOfParameter >= 0x7f800000u) most = 0x7fc00000u;`;

/** As what each lane has found, but each texel stands for many of them; the second has their flags too. */
const foldedProgram = (shape: readonly number[], tensors: number, folds: number): programs.Program =>
  programs.made(
    ["C", "D"],
    shape,
    `${programs.FOLD}${HERE}${together(tensors)}
  void main() {
    int fold = texelHere() / 2;
    int lanes = shares.x * shares.y;
    int each = (lanes + ${folds - 1}) / ${folds};
    int first = min(fold * each, lanes);
    int end = min(first + each, lanes);
    vec4 result = vec4(0);
    if (texelHere() % 2 == 0) {
      uint most;
      float sum = sumOf(first, end - first, 0, most).x;
      result.xy = vec2(uintBitsToFloat(most), sum);
    } else {
      vec4 all = vec4(0);
      for (int lane = first; lane < end; lane++) all = joined(all, vec4(0, seen(lane, 1).xyz));
      int flags = 0;
      for (int unit = fold; unit < shares.y; unit += ${folds}) flags |= int(at(D, unit).w);
      result = vec4(all.yzw, flags);
    }
    setOutput(result);
  }`,
    { customUniforms: [shares] },
  );

/** The record, from all units of a gradient. */
const jointProgram = (tensors: number): programs.Program =>
  programs.made(
    ["C", "D", "R"],
    [2, 2 * programs.RECORD_TEXELS],
    `${programs.FOLD}${together(tensors)}${programs.recorded(l2)}
  void main() {
    uint most;
    vec2 norm = normOf(0, shares.x * shares.y, 0, most);
    vec4 all = vec4(0);
    int flags = 0;
    for (int lane = 0; lane < shares.x * shares.y; lane++) {
      vec4 faults = seen(lane, 1);
      all = joined(all, vec4(0, faults.xyz));
      flags |= int(faults.w);
    }
    all.x = uintBitsToFloat(most);
    for (int unit = 0; unit < shares.y; unit++) flags |= int(at(D, unit).w);
    setOutput(recorded(vec4(1, 1, 0, flags), norm.x, int(norm.y), all));
  }`,
    { customUniforms: [...programs.decision, shares] },
  );

const unitScaleProgram = (shape: readonly number[]): programs.Program =>
  programs.made(
    ["A", "D"],
    shape,
    `${programs.READ}${programs.SCALED}${HERE}
  int unitOf(int element) {
    int unit = 0;
    for (int a = 0; a < ${MOST_AXES} && axes[a].x > 0; a++) unit += element / axes[a].y % axes[a].x * axes[a].z;
    return unit;
  }
  void main() {
    bvec4 isIn;
    ivec4 element;
    int t = texelOf(texelHere(), isIn, element);
    vec4 value = at(A, t);
    for (int c = 0; c < 4; c++) if (isIn[c]) value[c] = scaled(value[c], at(D, unitOf(element[c])));
    setOutput(value);
  }`,
    { customUniforms: [...programs.gradient, ...division] },
  );
