/** Options that autoClip and zClip refuse. The conformance suite tests their decisions. */
import { describe, expect, test } from "vitest";
import { adaGC, autoClip, type ClipMethod, createClipper, zClip } from "../src/index.ts";

type Options = Record<string, unknown>;

const methods: Record<string, (options?: Options) => ClipMethod> = {
  autoClip: (options) => autoClip(options),
  zClip: (options) => zClip(options),
  adaGC: (options) => adaGC(options),
};

describe.each([
  ["autoClip", "percentile", [0, -1, 100.1, 1e-5, Number.NaN, Infinity], [0.0001, 50, 100]],
  ["autoClip", "history", [0, -1, 1.5, 65_537, Number.NaN, Infinity], [1, 1024, 65_536]],
  ["autoClip", "maxNorm", [-1, 1e-39, 1e39, Number.NaN], [0, 1, Infinity]],
  ["zClip", "zThreshold", [0, -1, Number.NaN, Infinity], [0.1, 2.5, 1e6]],
  ["zClip", "decay", [-0.1, 1, 1.5, Number.NaN, Infinity], [0, 0.97, 1 - 2 ** -53]],
  ["zClip", "warmup", [0, -1, 2.5, 1_000_001, Number.NaN, Infinity], [1, 25, 1_000_000]],
  ["zClip", "maxNorm", [-1, 1e-39, 1e39, Number.NaN], [0, 1, Infinity]],
  ["adaGC", "relative", [-1, 0, Number.NaN, Infinity], [1, 1.05, 1e6]],
  ["adaGC", "decay", [-0.1, 1, 1.5, Number.NaN, Infinity], [0, 0.98, 1 - 2 ** -53]],
  ["adaGC", "warmup", [-1, 2.5, 1_000_001, Number.NaN, Infinity], [0, 100, 1_000_000]],
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
    expect(make({ [option]: undefined }).maxNorm).toBe(name === "adaGC" ? 1 : Infinity);
  });
});

test("adaGC's relative below 1 is refused, as bounds would shrink", () => {
  const message = "adaGC's relative is 0.99, so that bounds only shrink; pass a number from 1 on.";
  expect(() => adaGC({ relative: 0.99 })).toThrow(new RangeError(message));
});

test.each(["tensor", "group"] as const)(
  "zClip per %s refuses a norm for all, and a memory of other gradients",
  async (per) => {
    const clipper = await createClipper({ backend: "cpu" });
    const lists = [1, 2].map((count) =>
      Array.from({ length: count }, (_, i) => ({ buffer: new Float32Array(2), group: `${i}` })),
    );
    const [one = [], two = []] = lists;
    expect(() => clipper.prepare(one, zClip({ per }), { totalNorm: 1 })).toThrow(
      new TypeError("options.totalNorm is one norm, but zClip has many; leave it out."),
    );
    const state = await clipper.prepare(two, zClip({ per })).state();
    expect(() => clipper.prepare(one, zClip({ per })).restore(state)).toThrow(
      new RangeError(
        "The state has 56 bytes, but that of zClip with 1 norm has 32; pass what state() of such a clip gave.",
      ),
    );
    expect(() => clipper.prepare(one, zClip()).restore(state.slice(24))).toThrow(RangeError);
  },
);

test.each([
  [1, TypeError, "gradients[1].group is 1; pass a string."],
  ["others", RangeError, 'gradients[1].group is "others", which stands for gradients without a group; leave it out.'],
])("zClip per group refuses the group %j", async (group, kind, message) => {
  const clipper = await createClipper({ backend: "cpu" });
  const views = [{ buffer: new Float32Array(2) }, { buffer: new Float32Array(2), group: group as string }];
  expect(() => clipper.prepare(views, zClip({ per: "group" }))).toThrow(new kind(message));
  expect(clipper.prepare(views, zClip({ per: "tensor" })).method.name).toBe("zClip");
});

test("zClip's per is one of three", () => {
  const message = `zClip's per is the string "layer"; use "all" or "tensor" or "group".`;
  expect(() => zClip({ per: "layer" as "all" })).toThrow(new TypeError(message));
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
      "restore's state is an Array; pass what state() gave",
    );
  });
});
