/** Options that autoClip and zClip refuse. The conformance suite tests their decisions. */
import { describe, expect, test } from "vitest";
import { autoClip, type ClipMethod, createClipper, zClip } from "../src/index.ts";

type Options = Record<string, unknown>;

const methods: Record<string, (options?: Options) => ClipMethod> = {
  autoClip: (options) => autoClip(options),
  zClip: (options) => zClip(options),
};

describe.each([
  ["autoClip", "percentile", [0, -1, 100.1, 1e-5, Number.NaN, Infinity], [0.0001, 50, 100]],
  ["autoClip", "history", [0, -1, 1.5, 65_537, Number.NaN, Infinity], [1, 1024, 65_536]],
  ["autoClip", "maxNorm", [-1, 1e-39, 1e39, Number.NaN], [0, 1, Infinity]],
  ["zClip", "zThreshold", [0, -1, Number.NaN, Infinity], [0.1, 2.5, 1e6]],
  ["zClip", "decay", [-0.1, 1, 1.5, Number.NaN, Infinity], [0, 0.97, 1 - 2 ** -53]],
  ["zClip", "warmup", [0, -1, 2.5, 1_000_001, Number.NaN, Infinity], [1, 25, 1_000_000]],
  ["zClip", "maxNorm", [-1, 1e-39, 1e39, Number.NaN], [0, 1, Infinity]],
] as const)("%s's %s", (name, option, outside, inside) => {
  const make = methods[name] as (options?: Options) => ClipMethod;

  test.each(outside)("%d is out of range", (value) => {
    expect(() => make({ [option]: value })).toThrow(RangeError);
    expect(() => make({ [option]: value })).toThrow(`${name}'s ${option} is ${value}; pass `);
  });

  test.each(inside)("%d is taken", (value) => {
    expect(make({ [option]: value }).name).toBe(name);
  });

  test.each([null, "1", 1n, {}, true])("%s is no number", (value) => {
    expect(() => make({ [option]: value })).toThrow(TypeError);
    expect(() => make({ [option]: value })).toThrow(`${name}'s ${option} is `);
  });

  test("undefined means the default", () => {
    expect(make({ [option]: undefined }).maxNorm).toBe(Infinity);
  });
});

describe.each(Object.entries(methods))("%s", (name, make) => {
  test("a misspelt option is refused", () => {
    expect(() => make({ maxnorm: 1 })).toThrow(TypeError);
    expect(() => make({ maxnorm: 1 })).toThrow(`${name}'s options has an unknown property "maxnorm"`);
  });

  test.each([null, 10, "10", [10]])("%j is no options object", (options) => {
    expect(() => make(options as unknown as Options)).toThrow(TypeError);
  });

  test("set refuses a cap that is none", async () => {
    const clipper = await createClipper({ backend: "cpu" });
    const clip = clipper.prepare([new Float32Array(2)], make());
    expect(() => clip.set({ maxNorm: -1 })).toThrow(RangeError);
    expect(() => clip.set({ maxNorm: 3 })).not.toThrow();
  });

  test("a clip that is destroyed has no state", async () => {
    const clipper = await createClipper({ backend: "cpu" });
    const clip = clipper.prepare([new Float32Array(2)], make());
    const state = await clip.state();
    clip.destroy();
    await expect(clip.state()).rejects.toThrow("The clip was destroyed");
    expect(() => clip.restore(state)).toThrow("The clip was destroyed");
  });

  test("what restore refuses is named", async () => {
    const clipper = await createClipper({ backend: "cpu" });
    const clip = clipper.prepare([new Float32Array(2)], make());
    const size = (await clip.state()).byteLength;
    expect(() => clip.restore(new ArrayBuffer(8))).toThrow(`The state has 8 bytes, but that of ${name}`);
    expect(() => clip.restore(new ArrayBuffer(size))).toThrow(`The state is not one of ${name}`);
    expect(() => clip.restore([] as unknown as ArrayBuffer)).toThrow(
      "restore's state is an Array; pass the ArrayBuffer",
    );
  });
});
