/** What finish and clamp are given, planned without a device: settings, tables and texts, worked out by hand. */
import { describe, expect, test } from "vitest";
import { floatBits } from "../src/floats.ts";
import {
  adaGC,
  autoClip,
  type ClipMethod,
  type ClipOptions,
  clipByBlockRms,
  clipByGlobalNorm,
  clipByGroupNorm,
  clipByNorm,
  clipByValue,
  clipPerExample,
  measureNorm,
  normalizeByGlobalNorm,
  skipAbove,
  skipSpikes,
  zClip,
} from "../src/index.ts";
import type { Batch } from "../src/webgpu/dispatches.ts";
import type { Format } from "../src/webgpu/format.ts";
import { decidingText, settingsStruct } from "../src/webgpu/passes/decide.ts";
import type { Dispatch } from "../src/webgpu/passes/pass.ts";
import { gradientText, nameOf } from "../src/webgpu/passes/texts.ts";
import { fakeBuffer, fieldsOf, headOf, kindsOf, planned, view, wordsOf } from "./support/planned.ts";

const NONE = 0xffffffff;

describe("finish", () => {
  const settingsOf = (method: ClipMethod, options?: ClipOptions, views = [view(64)]) =>
    fieldsOf(settingsStruct, wordsOf(planned(method, views, options).named("finish").at(-1), 4));
  const plain = {
    partialCount: 1,
    nonFinite: 0,
    gradScaleIndex: NONE,
    totalNormIndex: NONE,
    totalNormMantissa: 0,
    totalNormExponent: 0,
    totalNormFlags: 0,
    power: 0,
    epsMantissa: 0,
    epsExponent: 0,
    groupCount: 0,
    bundleCount: 0,
    firstPartial: 0,
    rounds: 0,
    history: 0,
  };
  const given = { totalNormIndex: 0xfffffffe };
  const float = (byteOffset: number) => ({ buffer: fakeBuffer(1024), byteOffset });
  /** 2^e as a mantissa of 32 bits with the highest set, and what is left of e. */
  const power = (e: number) => [2 ** 31, e - 31 < 0 ? 2 ** 32 + e - 31 : e - 31];

  test.each<[ClipOptions, Partial<typeof plain>]>([
    [{}, {}],
    [{ nonFinite: "keep" }, { nonFinite: 1 }],
    [{ nonFinite: "propagate" }, { nonFinite: 2 }],
    [{ history: 5 }, { history: 5 }],
    [{ totalNorm: 3 }, { ...given, totalNormMantissa: 3 * 2 ** 30, totalNormExponent: 2 ** 32 - 30 }],
    [{ totalNorm: 0 }, given],
    [{ totalNorm: Number.NaN }, { ...given, totalNormFlags: 4 }],
    [{ totalNorm: Infinity }, { ...given, totalNormFlags: 8 }],
    [{ totalNorm: 2 ** -900 }, { ...given, totalNormMantissa: 2 ** 31, totalNormExponent: power(-900)[1] as number }],
    [{ totalNorm: 2 ** -901 }, given],
    [{ totalNorm: float(260) }, { totalNormIndex: 1 }],
    [{ gradScale: float(8).buffer }, { gradScaleIndex: 0 }],
    [{ gradScale: 0.5 }, {}],
  ])("has the settings of its options: case %#", (options, changes) => {
    expect(settingsOf(clipByGlobalNorm(1), options)).toEqual({ ...plain, ...changes });
  });

  test("has eps, the power of the norm, and a policy of its own for values", () => {
    const [epsMantissa, epsExponent] = power(-2);
    expect(settingsOf(clipByGlobalNorm(1, { eps: 0.25 }))).toEqual({ ...plain, epsMantissa, epsExponent });
    const { fixedPower } = clipByGlobalNorm(1, { normType: 3 }).norm;
    // 23 bits of it from the first digit on, and above them how many of those stand behind the point.
    expect(fixedPower).toBe(3 * 2 ** 21 + 21 * 2 ** 23);
    expect(settingsOf(clipByGlobalNorm(1, { normType: 3 }))).toEqual({ ...plain, power: fixedPower });
    // What would round to one bit more stays below.
    const most = clipByGlobalNorm(1, { normType: 2 - 2 ** -30 }).norm.fixedPower;
    expect(most).toBe(2 ** 23 - 1 + 22 * 2 ** 23);
    expect(settingsOf(clipByValue(1), { nonFinite: "keep" })).toEqual({ ...plain, nonFinite: 3 });
  });

  test.each<[ClipMethod, ClipOptions, name: string, more: string[], at?: string]>([
    [clipByGlobalNorm(1), {}, "finish l2 global by 64", []],
    [clipByGlobalNorm(1), { history: 1 }, "finish l2 global history by 64", ["state"]],
    [autoClip(), {}, "finish l2 auto by 64", ["state"]],
    [adaGC(), {}, "finish l2 ada by 64", ["state", "entries"]],
    [clipByNorm(1), {}, "finish l2 global by 64", []],
    [clipByGlobalNorm(1), { skip: skipAbove(1) }, "finish l2 global skipAbove by 64", ["state"]],
    [
      clipByGlobalNorm(1),
      { skip: skipSpikes({ loss: float(4) }) },
      "finish l2 global skipSpikes loss by 64",
      ["state", "source"],
      "@binding(6)",
    ],
    [
      adaGC(),
      { skip: skipSpikes({ loss: float(4) }) },
      "finish l2 ada skipSpikes loss by 64",
      ["state", "entries", "source"],
      "@binding(7)",
    ],
    [
      clipByGroupNorm({ a: 1, b: Infinity }),
      { skip: skipAbove(1) },
      "finish l2 global skipAbove in part by 64",
      ["state"],
    ],
  ])("has a name and buffers for what it remembers: case %#", (method, options, name, more, at) => {
    const views = [view(64, { group: "a" }), view(64, { group: "b" })];
    const [finish] = planned(method, views, options)
      .named("finish l2")
      .filter((one) => one.name.includes(" by "));
    expect(finish?.name).toBe(name);
    expect(kindsOf(finish as Dispatch)).toEqual(["partials", "record", "source", "source", "words", ...more]);
    expect([finish?.workgroups, finish?.valuesFrom]).toEqual([1, 0]);
    const text = finish?.source() ?? "";
    const declared = [...text.matchAll(/@group\(0\) @binding\((\d+)\)/g)].filter(([, n]) => Number(n) >= 5);
    expect(new Set(declared.map(([, n]) => Number(n)))).toEqual(new Set(more.map((_, i) => 5 + i)));
    if (at) expect(text).toMatch(new RegExp(`${at.replace(/[()]/g, "\\$&")}.*[lL]oss`));
    expect(text).not.toMatch(/\/\/#|LOSS_AT|WORKGROUP_SIZE/);
  });

  test("keeps a row of history where it is asked to, and reads no partial where there is no gradient", () => {
    const textOf = (options: ClipOptions) =>
      planned(clipByGlobalNorm(1), [view(64)], options)
        .named("finish")[0]
        ?.source();
    expect(textOf({ history: 3 })).toContain("settings.history");
    expect(textOf({ skip: skipAbove(1) })).not.toContain("settings.history");
    for (const method of [clipByGlobalNorm(1), clipByValue(1)]) {
      expect(settingsOf(method, {}, []).partialCount).toBe(0);
    }
    expect(settingsOf(autoClip()).epsMantissa).toBe(0);
  });

  test("of one norm decides as for several, where it is a gradient's own", () => {
    expect(
      planned(clipByBlockRms(1), [view(64)])
        .named("finish")
        .map(({ name }) => name),
    ).toEqual(["finish groups l2 rms", "finish l2 global by 64"]);
  });

  test("has what its rule needs", () => {
    const kernel = ["NORMALIZES", "REMEMBERS"]
      .flatMap((name) => [`//#if ${name}`, name.toLowerCase(), "//#end"])
      .join("\n");
    const methods = [clipByGlobalNorm(1), normalizeByGlobalNorm(1), autoClip()];
    expect(methods.map((method) => decidingText(kernel, method, 8, { texts: {} }).trim())).toEqual([
      "",
      "normalizes",
      "remembers",
    ]);
  });

  test("and so does a clip with more partials than its grid", () => {
    expect(planned(clipByGlobalNorm(1), [view(64)]).partialCount).toBe(8);
    const long = planned(clipByValue(1), [view(2 ** 28)]);
    expect(long.partialCount).toBe(long.named("clamp")[0]?.workgroups);
    expect(long.partialCount).toBeGreaterThan(8);
  });
});

describe("clamp", () => {
  test("adds to the same partials, of which the first dispatch has the most", () => {
    const views = [view(64), view(2048, { dtype: "bf16", shape: [2048] }), view(640, { dtype: "f16" })];
    const { named } = planned(clipByValue(-2, 3), views, { gradScale: 0.5 });
    const clamps = named("clamp");
    expect(clamps.map(({ name, workgroups, valuesFrom }) => [name, workgroups, valuesFrom])).toEqual([
      ["clamp in-place f32 vec4 by 8", 8, 4],
      ["clamp in-place f16 vec4 by 8", 3, 4],
      ["clamp in-place bf16 vec4 by 8", 8, 4],
    ]);
    expect(
      clamps.map(headOf).map(({ accumulates, low, high, gradScaleIndex }) => [accumulates, low, high, gradScaleIndex]),
    ).toEqual([0, 1, 1].map((accumulates) => [accumulates, floatBits(-2), floatBits(3), NONE]));
    // One binding less than there are: gradScale's.
    expect(clamps.map(({ batch }) => batch?.bindings)).toEqual([6, 6, 6]);
    expect(clamps.map(kindsOf)).toEqual(Array(3).fill(["words", "partials", "words"]));
    expect(fieldsOf(settingsStruct, wordsOf(named("finish")[0], 4))).toMatchObject({
      partialCount: 8,
      firstPartial: 0,
    });
  });

  test("reads gradScale from a buffer", () => {
    const { named } = planned(clipByValue(1), [view(64)], { gradScale: fakeBuffer(512) });
    expect(kindsOf(named("clamp")[0] as Dispatch)).toEqual(["words", "partials", "source"]);
    expect(headOf(named("clamp")[0]).gradScaleIndex).toBe(0);
  });
});

describe("a text over gradients", () => {
  const kernel = ["EDGES", "INTO", "PACKED", "UNPACKED", "WIDENS", "UNITS"]
    .flatMap((name) => [`//#if ${name}`, `is_${name.toLowerCase()}`, "//#end"])
    .concat("//#for slot", "slot SLOT", "//#end", "WORKGROUP_SIZE IN_PLACE TARGET ACCESS")
    .join("\n");
  const textOf = (format: Format, batch: Partial<Batch>, texts = {}) =>
    gradientText(
      kernel,
      texts,
      { format, target: "in-place", writes: true, bindings: 2, ...batch } as Batch,
      16,
    ).trim();
  const f32: Format = { dtype: "f32", word: "vec4", widening: 1 };
  const f16: Format = { dtype: "f16", word: "u32", widening: 1 };
  const slots = "slot 0\nslot 1\n";

  test.each<[Format, Partial<Batch>, string]>([
    [f32, {}, `is_unpacked\n${slots}16 true gradients read_write`],
    [f32, { writes: false }, `is_unpacked\n${slots}16 true gradients read`],
    [f32, { target: "into" }, `is_into\nis_unpacked\n${slots}16 false into read`],
    [f32, { target: "shared" }, `is_into\nis_unpacked\n${slots}16 false into read_write`],
    [f16, {}, `is_edges\nis_packed\n${slots}16 true gradients read_write`],
    [{ ...f16, word: "vec4" }, {}, `is_packed\n${slots}16 true gradients read_write`],
    [{ ...f16, widening: 2 }, { target: "into" }, `is_into\nis_unpacked\nis_widens\n${slots}16 false into read`],
  ])("has the sections and words of its format and target: case %#", (format, batch, wanted) => {
    expect(textOf(format, batch)).toBe(wanted);
  });

  test("has a section for units where it imports them", () => {
    expect(textOf(f32, {}, { "shared/units": "" })).toContain("is_units");
  });

  test("has a name that says all of it", () => {
    const named = (format: Format, batch: Partial<Batch>) =>
      nameOf("k", { format, target: "into", writes: true, ...batch } as Batch, 16);
    expect(named(f32, {})).toBe("k into f32 vec4 by 16");
    expect(named(f32, { writes: false })).toBe("k f32 vec4 by 16");
    expect(named({ ...f16, widening: 2 }, {})).toBe("k into f16 to f32 u32 by 16");
  });
});

test("every text has all that it imports", () => {
  const views = [
    view(64, { shape: [4, 16] }),
    view(64, { dtype: "f16", shape: [4, 16], into: { buffer: fakeBuffer() } }),
  ];
  const methods = [
    clipByGlobalNorm(1),
    clipByValue(1),
    clipByNorm(1, { axes: [0] }),
    clipPerExample(1, { examples: 4 }),
    adaGC(),
    zClip({ per: "tensor" }),
    measureNorm(),
  ];
  for (const { name, source } of methods.flatMap((method) => planned(method, views).dispatches)) {
    expect(source(), name).not.toMatch(/\bundefined\b|\/\/#|WORKGROUP_SIZE/);
  }
  const groups =
    planned(clipByNorm(1), [view(64)])
      .named("finish groups")[0]
      ?.source() ?? "";
  expect(groups.includes("const WORKGROUP = u32(64);")).toBe(true);
  expect(planned(clipByGlobalNorm(1), [view(64)], { apply: "record" }).named("scale")).toEqual([]);
});
