/** Results of 16-bit gradients in float32: `into` with dtype "f32". They are judged as those of float32 gradients of the same values. */
import { clipByGlobalNorm, clipPerExample, type GradientView } from "../../../src/index.ts";
import { clampTo, clipTo, dependentOn, normalizedTo, packed, range, tensor, unit } from "../build.ts";
import { refuses, same, sameWords, untouched } from "../expect.ts";
import { HALVES, type Half, half, PATTERNS, POLICIES } from "../halves.ts";
import { GUARD_BYTES } from "../memory.ts";
import { bits16From, floatsOf, randomBits, randomBits16, widened16 } from "../numbers.ts";
import { ONE_WORKGROUP, planned } from "../plans.ts";
import { agc, alongAxes, perExample, perGroup, perMember, perTensor, perTensorRms } from "../rules.ts";
import type { Case, Rule, Tensor, Unit } from "../types.ts";

type Place = NonNullable<Tensor["place"]>;

function wide(dtype: Half, bits: Uint16Array, into: Place, extras: Partial<Tensor> = {}): Tensor {
  return { bits, dtype, into, intoDtype: "f32", ...extras };
}

/** In a memory of its own. */
function away(dtype: Half, bits: Uint16Array, extras: Partial<Tensor> = {}): Tensor {
  return wide(dtype, bits, { memory: "target", byteOffset: GUARD_BYTES }, extras);
}

function layouts(dtype: Half, from: number): Unit[] {
  return [0, 4, 8, 12, 16].flatMap((to) =>
    [1, 2, 3, 4, 8, 37, 64, 1027].flatMap((length) => {
      const bits = randomBits16(dtype, length, length + to);
      const place = { memory: "arena", byteOffset: GUARD_BYTES + from };
      const elsewhere = wide(dtype, bits, { memory: "target", byteOffset: GUARD_BYTES + to }, { place });
      const sameBuffer = { ...elsewhere, into: { memory: "arena", byteOffset: 8192 + to } };
      const label = `${length} elements, ${from} to ${to}`;
      return [
        unit(label, [elsewhere], clipTo(0.125)),
        unit(`${label}, under the bound`, [elsewhere], clipTo(1000)),
        unit(`${label}, one buffer`, [sameBuffer], clipTo(0.125)),
        unit(`${label}, by value`, [elsewhere], clampTo(-0.3, 0.4)),
      ];
    }),
  );
}

/** Half of a format's largest, and below. */
function isSmall(dtype: Half): (pattern: number) => boolean {
  return (pattern) =>
    Math.abs(floatsOf(widened16(dtype, [pattern]))[0] as number) < (dtype === "f16" ? 2 ** 15 : 2 ** 127);
}

/** Every pattern of a format: NaN and infinities with their payloads, subnormal numbers, both zeros. */
function everyPattern(dtype: Half): Unit[] {
  const finite = PATTERNS.filter((pattern) => Number.isFinite(floatsOf(widened16(dtype, [pattern]))[0]));
  return [
    unit("copied", [away(dtype, finite)], clipTo(Infinity)),
    unit("multiplied", [away(dtype, finite)], clipTo(Infinity), { options: { gradScale: 0.37 } }),
    unit("enlarged", [away(dtype, finite.filter(isSmall(dtype)))], clipTo(Infinity), { options: { gradScale: 1.5 } }),
    unit("clipped", [away(dtype, finite)], clipTo(3)),
    unit("by value", [away(dtype, PATTERNS)], clampTo(-0.3, 7)),
    unit("by value, multiplied", [away(dtype, PATTERNS)], clampTo(-0.3, 7), { options: { gradScale: 0.25 } }),
    ...POLICIES.map((nonFinite) => unit(nonFinite, [away(dtype, PATTERNS)], clipTo(3), { options: { nonFinite } })),
  ];
}

/** float32 and both halves: in place, into the own format, into float32; some in one buffer, some half a word apart. */
function model(seed: number): Tensor[] {
  let [from, to] = [GUARD_BYTES + 2, GUARD_BYTES];
  return range(24).map((k) => {
    const dtype = (["f16", "bf16", "f32"] as const)[(k + seed) % 3] as Half | "f32";
    const length = 6 * (1 + ((k * 37 + seed) % 60));
    const bits = dtype === "f32" ? randomBits(length, k) : randomBits16(dtype, length, k);
    if (dtype === "f32") from += from % 4;
    const place = { memory: "arena", byteOffset: from };
    from += bits.byteLength + 2 * (k % 2);
    const common: Tensor = { bits, dtype, place, shape: [3, length / 3], group: k % 3 === 0 ? "a" : "b" };
    const into = { memory: k % 5 === 0 ? "elsewhere" : "target", byteOffset: to };
    to += 4 * length + 4 * (k % 3);
    if (dtype === "f32" || k % 4 === 3) return { ...common, ...(k % 2 && { into }) };
    return { ...common, into, intoDtype: "f32" };
  });
}

const RULES: Readonly<Record<string, Rule>> = {
  "the global norm": clipTo(1),
  "a bound that is not met": clipTo(1e4),
  "each tensor": perTensor(0.5),
  "the mean square": perTensorRms(0.1),
  groups: perGroup({ a: 1, b: Infinity }),
  members: perMember(0.5, 3),
  units: alongAxes(0.3, [0]),
  values: clampTo(-0.1, 0.2),
  normalize: normalizedTo(2),
};

/** Bounds that are products are rounded too. */
function within4({ method, expected }: Rule): Rule {
  return { method, expected: (unit) => ({ ...expected(unit), ulps: 4 }) };
}

function everyRule(tensors: readonly Tensor[]): Unit[] {
  return Object.entries(RULES).flatMap(([label, given]) => {
    const rule = label === "values" ? given : within4(given);
    return [
      unit(label, tensors, rule),
      unit(`${label}, with gradScale`, tensors, rule, { options: { gradScale: 0.37 } }),
    ];
  });
}

function withParameters(tensors: readonly Tensor[]): Tensor[] {
  return tensors.map((one, k) => ({ ...one, parameter: { bits: randomBits(one.bits.length, k + 50) } }));
}

function examples(dtype: Half, length: number, count: number, from: number, to: number): Tensor {
  const place = { memory: "arena", byteOffset: GUARD_BYTES + from };
  const into = { memory: "target", byteOffset: GUARD_BYTES + to };
  return wide(dtype, randomBits16(dtype, length * count, length), into, { place, intoLength: length });
}

function sums(): Unit[] {
  return HALVES.flatMap((dtype) =>
    [1, 2, 3, 4, 5, 64, 65, 1027].flatMap((length) =>
      [
        [0, 0],
        [2, 4],
        [4, 8],
      ].flatMap(([from = 0, to = 0]) =>
        [1, 3, 20].map((count) =>
          unit(
            `${dtype}: ${count} of ${length}, ${from} to ${to}`,
            [examples(dtype, length, count, from, to)],
            perExample(2, count),
          ),
        ),
      ),
    ),
  );
}

/** Longer than a binding of 64 KiB. */
function long(): Unit[] {
  return HALVES.flatMap((dtype) => {
    const bits = randomBits16(dtype, 60_004, 3);
    const apart = { memory: "arena", byteOffset: GUARD_BYTES + 6 };
    return [
      unit(`${dtype}, whole words`, [away(dtype, bits)], clipTo(1)),
      unit(`${dtype}, half a word off`, [away(dtype, bits, { place: apart })], clipTo(1)),
      unit(`${dtype}, by value`, [away(dtype, bits)], clampTo(-0.5, 0.5)),
      unit(`${dtype}, examples`, [away(dtype, bits, { intoLength: 30_002 })], perExample(1, 2)),
    ];
  });
}

export const cases: Case[] = [
  {
    name: "by hand",
    units: () => [
      unit("a small one that float16 would lose", [away("f16", bits16From("f16", [2 ** -20]))], clipTo(1), {
        options: { gradScale: 2 ** -10 },
        want: { norm: 2 ** -30, values: [[2 ** -30]] },
      }),
      unit("[3, 4] in bf16 is not rounded to it", [away("bf16", bits16From("bf16", [3, 4]))], clipTo(1), {
        want: { norm: 5, values: [[0.6, 0.8].map(Math.fround)] },
      }),
      unit("the same bytes into both formats", twiceWritten([3, 4]), clipTo(1), {
        want: { norm: Math.sqrt(50) },
      }),
    ],
  },
  ...dependentOn(
    "kernels",
    HALVES.flatMap((dtype) => [
      { name: `${dtype}: every pattern`, units: () => everyPattern(dtype) },
      { name: `${dtype}: every layout`, units: () => [0, 2, 4, 6, 8, 14, 16].flatMap((from) => layouts(dtype, from)) },
    ]),
  ),
  {
    name: "neighbours",
    units: () =>
      HALVES.flatMap((dtype) => {
        const list = range(30).map((k) => randomBits16(dtype, 4 * (1 + (k % 7)), k));
        const targets = packed(
          list.map((bits) => new Uint32Array(bits.length)),
          GUARD_BYTES,
          0,
          "target",
        );
        const moved = packed(list, GUARD_BYTES, 0, "arena", dtype).map((one, k): Tensor => {
          return { ...one, into: targets[k]?.place as Place, intoDtype: "f32" };
        });
        return [
          unit(`${dtype}`, moved, clipTo(1)),
          unit(`${dtype}, backwards`, [...moved].reverse(), clipTo(1)),
          unit(
            `${dtype}, every other one`,
            moved.filter((_, k) => k % 2),
            clipTo(1),
          ),
        ];
      }),
  },
  { name: "every rule over a mixture", units: () => [1, 2].flatMap((seed) => everyRule(model(seed))) },
  { name: "norms of parameters", units: () => [unit("agc", withParameters(model(1)), agc({ axes: [0] }))] },
  { name: "sums over examples", dependsOn: "kernels", units: sums },
  {
    name: "sums go on in float32",
    script: async ({ allocate, prepare }) => {
      for (const dtype of HALVES) {
        // Numbers that need more digits than 16 bits have.
        const memory = allocate([tensor([4096, 0.5]), half(dtype, [1, 0.25, 2, 0.125])]);
        const [sum, given] = [...(memory.gradients as Iterable<GradientView>)] as [GPUBuffer, GradientView];
        const view: GradientView = { ...given, into: { buffer: sum, dtype: "f32" } };
        const clip = prepare([view], clipPerExample(Infinity, { examples: 2, accumulate: true }));
        for (const _ of range(3)) clip.run();
        const after = (await memory.read()).get("own 0") as Uint32Array;
        same(floatsOf(after)[0], 4096 + 9, `${dtype}: first`);
        same(floatsOf(after)[1], 0.5 + 3 * 0.375, `${dtype}: second`);
      }
    },
  },
  {
    name: "the bits are those of the float32 gradient",
    script: async ({ allocate, prepare }) => {
      for (const dtype of HALVES) {
        // Whole numbers, whose squares add up exactly in any order.
        const values = range(3001).map((i) => (i % 31) - 15);
        const memory = allocate([half(dtype, values), tensor(range(3001).map(() => 0)), tensor(values)]);
        const [narrow, into, plain] = [...(memory.gradients as Iterable<GradientView>)];
        const view = { ...(narrow as GradientView), into: { buffer: into as GPUBuffer, dtype: "f32" as const } };
        prepare([view], clipByGlobalNorm(1.7)).run();
        prepare([plain as GradientView], clipByGlobalNorm(1.7)).run();
        const after = await memory.read();
        sameWords(after.get("own 1"), after.get("own 2"), dtype);
      }
    },
  },
  { name: "longer than usual", dependsOn: "kernels", units: long },
  planned("pieces, for bindings of 64 KiB", { maxBinding: 65_536 }, long),
  planned("one workgroup", ONE_WORKGROUP, () => [...everyRule(model(3)).slice(0, 4), ...sums().slice(-6)]),
  {
    name: "what does not fit is refused",
    script: async ({ allocate, prepare, backend }) => {
      const memory = allocate([half("f16", [1, 2, 3, 4]), tensor([1, 2, 3, 4]), tensor([1, 2])]);
      const [narrow, into, short] = [...(memory.gradients as Iterable<GradientView>)] as [
        GradientView,
        GPUBuffer,
        GPUBuffer,
      ];
      const intoOf = (into: unknown) => () => prepare([{ ...narrow, into: into as GradientView["into"] }]);
      for (const dtype of ["f16", "bf16", "f64", 32]) {
        refuses(intoOf({ buffer: into, dtype }), [TypeError], `into.dtype ${dtype}`);
      }
      if (backend === "cpu") refuses(intoOf({ buffer: into }), [TypeError], "a Float32Array without a dtype");
      refuses(intoOf({ buffer: short, dtype: "f32" }), [RangeError], "an into that is too short");
      refuses(intoOf({ buffer: into, byteOffset: 2, dtype: "f32" }), [RangeError], "an into off a word");
      const bytes = narrow.buffer as GPUBuffer | Uint16Array;
      const own = ArrayBuffer.isView(bytes) ? new Uint8Array(bytes.buffer) : bytes;
      refuses(intoOf({ buffer: own, dtype: "f32" }), [RangeError], "an into over the gradient");
      const clip = prepare([{ ...narrow, into: { buffer: into, dtype: "f32" } }]);
      const other = ArrayBuffer.isView(bytes) ? new Uint16Array(4) : into;
      refuses(() => clip.run([{ ...narrow, into: { buffer: other } }]), [RangeError], "another dtype at a step");
      await untouched(memory);
    },
  },
];

/** One gradient that is listed twice, for two destinations. */
function twiceWritten(values: readonly number[]): Tensor[] {
  const place = { memory: "arena", byteOffset: GUARD_BYTES };
  const one: Tensor = { bits: bits16From("bf16", values), dtype: "bf16", place };
  return [
    { ...one, into: { memory: "target", byteOffset: GUARD_BYTES }, intoDtype: "f32" },
    { ...one, into: { memory: "halves", byteOffset: GUARD_BYTES + 2 } },
  ];
}
