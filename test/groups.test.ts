/** clipByGroupNorm: what is refused, what the report says, and what groups cost. */
import { describe, expect, test } from "vitest";
import { type ClipMethod, clipByGroupNorm, clipByNorm, type Gradients, skipAbove } from "../src/index.ts";
import { bench, clipperOn, cpu, device, memoryOn, sides } from "./support/bench.ts";
import { refused } from "./support/refused.ts";

describe("bounds that are refused", () => {
  const rows: [string, () => ClipMethod, typeof TypeError | typeof RangeError, string | RegExp][] = [
    [
      "a number",
      () => clipByGroupNorm(1 as never),
      TypeError,
      "clipByGroupNorm's bounds is 1; pass bounds by group, such as { encoder: 1 }.",
    ],
    [
      "a list",
      () => clipByGroupNorm([1] as never),
      TypeError,
      "clipByGroupNorm's bounds is an Array; pass bounds by group, such as { encoder: 1 }.",
    ],
    [
      "no group",
      () => clipByGroupNorm({}),
      RangeError,
      "clipByGroupNorm's bounds has no group; pass one, such as { encoder: 1 }.",
    ],
    [
      "a group called others",
      () => clipByGroupNorm({ encoder: 1, others: 1 }),
      RangeError,
      'clipByGroupNorm\'s bounds has a group "others"; pass it in the options.',
    ],
    [
      "a negative bound",
      () => clipByGroupNorm({ a: -1 }),
      RangeError,
      /^clipByGroupNorm's bound of "a" is -1; pass 0, .*\.$/,
    ],
    [
      "a bound that is NaN",
      () => clipByGroupNorm({ a: Number.NaN }),
      RangeError,
      /^clipByGroupNorm's bound of "a" is NaN; /,
    ],
    [
      "a bound that is missing",
      () => clipByGroupNorm({ a: undefined as never }),
      TypeError,
      /^clipByGroupNorm's bound of "a" is undefined; /,
    ],
    [
      "others that are no number",
      () => clipByGroupNorm({ a: 1 }, { others: "1" as never }),
      TypeError,
      /^clipByGroupNorm's others is the string "1"; /,
    ],
    [
      "another option",
      () => clipByGroupNorm({ a: 1 }, { rest: 1 } as never),
      TypeError,
      /^clipByGroupNorm's options has an unknown property "rest"; it takes others\.$/,
    ],
  ];

  test.each(rows)("%s", async (_, make, kind, message) => {
    await refused(make, kind, message);
  });
});

describe.each(sides)("on the %s", (side) => {
  const gradient = (group?: string) => ({ buffer: memoryOn(side, [3, 4]), group });
  const prepare = (gradients: Gradients, others?: number) =>
    clipperOn(side).prepare(gradients, clipByGroupNorm({ encoder: 1, head: 2 }, { others }));

  test("a gradient of a group called others is refused, with others and without", async () => {
    const message = 'gradients[1].group is "others", which stands for gradients without a group; leave it out.';
    for (const others of [undefined, 1]) {
      await refused(() => prepare([gradient("head"), gradient("others")], others), RangeError, message);
    }
  });

  test("a gradient without a group needs others", async () => {
    const message =
      "gradients[1] has no group, and clipByGroupNorm no bound for others; pass a view with its group, or options.others.";
    await refused(() => prepare([gradient("head"), gradient()]), RangeError, message);
    prepare([gradient("head"), gradient()], 1);
  });

  test("a group without a bound is refused, where there are others too", async () => {
    const message =
      'gradients[0] has the group "haed", for which clipByGroupNorm has no bound; pass one of "encoder", "head".';
    await refused(() => prepare([gradient("haed")]), RangeError, message);
    await refused(() => prepare([gradient("haed")], 1), RangeError, message.replace('"head".', '"head", "others".'));
    await refused(() => prepare([{ length: 2, group: "haed" }]), RangeError, message);
  });

  test("one range in two groups is refused", async () => {
    const buffer = memoryOn(side, [3, 4]);
    const both = [{ buffer, group: "encoder" }, { buffer }];
    const message =
      'gradients[0] and gradients[1] are the same bytes with groups "encoder" and "others"; pass one group.';
    await refused(() => prepare(both, 1), RangeError, message);
  });

  test("a group that is no string is refused", async () => {
    const message = "gradients[0].group is 1; pass a string.";
    await refused(() => prepare([{ ...gradient(), group: 1 as never }]), TypeError, message);
  });

  test("one bound for all cannot be set, nor one norm for all given", async () => {
    const clip = prepare([gradient("head")]);
    const message = "clipByGroupNorm has no single maxNorm to set; prepare another.";
    await refused(() => clip.set({ maxNorm: 1 }), TypeError, message);
    const total = "options.totalNorm is one norm, but clipByGroupNorm has many; leave it out.";
    await refused(
      () => clipperOn(side).prepare([gradient("a")], clipByGroupNorm({ a: 1 }), { totalNorm: 1 }),
      TypeError,
      total,
    );
  });

  test("a skip rule judges what is scaled, and so needs a group with a bound", async () => {
    const skip = skipAbove(7);
    const measured = clipByGroupNorm({ encoder: Infinity }, { others: Infinity });
    const message =
      "options.skip is skipAbove, but clipByGroupNorm has no step to skip: every bound is Infinity; leave it out.";
    await refused(() => clipperOn(side).prepare([gradient("encoder")], measured, { skip }), TypeError, message);
    const gradients = [gradient("head"), gradient("encoder")];
    const clip = clipperOn(side).prepare(gradients, clipByGroupNorm({ encoder: 1, head: 2 }), { skip });
    clip.run([gradients[0], null]);
    expect(await clip.report()).toMatchObject({ spikeSteps: 0, clipped: true });
    clip.run(gradients.map(({ buffer }) => buffer as GPUBuffer));
    expect(await clip.report()).toMatchObject({ spikeSteps: 0, norm: Math.fround(Math.hypot(2, 5)) });
    clip.run([gradient(), gradient()]);
    const report = await clip.report();
    expect(report).toMatchObject({ spikeSteps: 1, skippedSteps: 1, scale: 0, clipped: false });
    expect(report.groups?.head).toEqual({ norm: 5, scale: 0, clipped: false });
  });

  test("groups are told in the order of the bounds, others last, those without a gradient too", async () => {
    const clip = prepare({ w: gradient("head"), b: gradient() }, 10);
    clip.set({ gradScale: 2 });
    clip.run();
    const report = await clip.report();
    expect(Object.entries(report.groups ?? {})).toEqual([
      ["encoder", { norm: 0, scale: 2, clipped: false }],
      ["head", { norm: 10, scale: Math.fround(0.4), clipped: true }],
      ["others", { norm: 10, scale: 2, clipped: false }],
    ]);
    expect(report).toMatchObject({ norm: Math.fround(Math.sqrt(200)), scale: Number.NaN, clipped: true });
    expect([report.tensorNorms, report.memberNorms]).toEqual([undefined, undefined]);
  });

  test("a step's own groups change nothing", async () => {
    const clip = prepare([gradient("head"), gradient("encoder")]);
    clip.run([gradient("encoder"), gradient()]);
    expect((await clip.report()).groups).toMatchObject({
      encoder: { clipped: true },
      head: { norm: 5, clipped: true },
    });
  });
});

test("other methods take views with a group", async () => {
  const clip = cpu.prepare([{ buffer: Float32Array.of(3, 4), group: "head" }], clipByNorm(10));
  clip.run();
  expect((await clip.report()).groups).toBeUndefined();
});

test("as many groups as there are gradients take no more dispatches than one", () => {
  const gradients = Array.from({ length: 40 }, (_, i) => ({ buffer: bench.buffer([i, 1]), group: `${i}` }));
  const dispatchesOf = (list: Gradients, method: ClipMethod) => {
    const clip = bench.clipper.prepare(list, method);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    let count = 0;
    const { dispatchWorkgroups } = pass;
    pass.dispatchWorkgroups = (...size) => {
      count += 1;
      return dispatchWorkgroups.apply(pass, size);
    };
    clip.encode(pass);
    pass.end();
    encoder.finish();
    return count;
  };
  const bounds = Object.fromEntries(gradients.map(({ group }) => [group, 1]));
  const many = dispatchesOf(gradients, clipByGroupNorm(bounds));
  const one = dispatchesOf(
    gradients.map(({ buffer }) => buffer),
    clipByGroupNorm({}, { others: 1 }),
  );
  expect(one).toBeGreaterThan(2);
  expect(many).toBe(one);
});
