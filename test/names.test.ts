/** Gradients with names are matched by name in every step, lists by place; the report speaks of prepare's list. */
import { describe, expect, test } from "vitest";
import {
  adaptiveGradClip,
  type Clip,
  clipByGlobalNorm,
  clipByNorm,
  type Gradient,
  type Gradients,
} from "../src/index.ts";
import { bench, clipperOn, memoryOn, type Side, sides } from "./support/bench.ts";
import { type ErrorClass, refused } from "./support/refused.ts";

type Memory = GPUBuffer | Float32Array;
type Make = (...values: number[]) => Memory;

const makeOn =
  (side: Side): Make =>
  (...values) =>
    memoryOn(side, values);
const valuesOf = async (memory: Memory) => (memory instanceof Float32Array ? [...memory] : await bench.values(memory));

const wrappers: [string, (entries: Record<string, Gradient | null>) => Gradients][] = [
  ["a record", (entries) => entries],
  ["a Map", (entries) => new Map(Object.entries(entries))],
];

describe.each(sides)("on the %s", (side) => {
  const prepareTwo = (method = clipByGlobalNorm(100)) => {
    const make = makeOn(side);
    return { make, clip: clipperOn(side).prepare({ router: make(1, 2), expert: make(3, 4) }, method) };
  };

  test.each(wrappers)("%s in another order: the report names the gradient that holds the NaN", async (_, wrap) => {
    const { make, clip } = prepareTwo();
    const expert = make(Number.NaN, 4);
    clip.run(wrap({ expert, router: make(3, 0) }));
    const { firstNonFinite } = await clip.report();
    expect(firstNonFinite).toEqual({ index: 1, name: "expert", element: 0 });
    expect(await valuesOf(expert)).toEqual([0, 0]);
  });

  test.each(wrappers)("%s in another order: norms and scales stand in prepare's", async (_, wrap) => {
    const { make, clip } = prepareTwo(clipByNorm(2.5));
    const [router, expert] = [make(30, 40), make(3, 4)];
    clip.run(wrap({ expert, router }));
    expect([...((await clip.report()).tensorNorms ?? [])]).toEqual([50, 5]);
    expect(await valuesOf(router)).toEqual([1.5, 2]);
    expect(await valuesOf(expert)).toEqual([1.5, 2]);
    if (clip.scales) {
      const entries = new Float32Array((await bench.bytes(clip.scales)).buffer);
      expect([entries[0], entries[8]]).toEqual([Math.fround(0.05), 0.5]);
    }
  });

  test("a Map is taken by prepare, and a record with its names by run", async () => {
    const make = makeOn(side);
    const clip = clipperOn(side).prepare(new Map([["w", make(3, 4)]]), clipByGlobalNorm(2.5));
    const other = make(6, 8);
    clip.run({ w: other });
    expect((await clip.report()).norm).toBe(10);
    expect(await valuesOf(other)).toEqual([1.5, 2]);
  });

  test("a view's name does not move a gradient of a list", async () => {
    const make = makeOn(side);
    const named = (name: string, ...values: number[]) => ({ buffer: make(...values), name });
    const clip = clipperOn(side).prepare([named("a", 1, 2), named("b", 3, 4)], clipByGlobalNorm(100));
    clip.run([named("b", Number.NaN, 1), named("a", 1, 1)]);
    expect((await clip.report()).firstNonFinite).toEqual({ index: 0, name: "a", element: 0 });
  });

  const rows: [string, (make: Make) => Gradients, (make: Make) => Gradients, ErrorClass, string][] = [
    [
      "an unknown name",
      (make) => ({ w: make(1, 2) }),
      (make) => ({ w: make(1, 2), v: make(1, 2) }),
      RangeError,
      'gradients has "v", which the clip was not prepared for; prepare another.',
    ],
    [
      "an unknown name without a gradient",
      (make) => new Map([["w", make(1, 2)]]),
      (make) => ({ w: make(1, 2), v: null }),
      RangeError,
      'gradients has "v", which the clip was not prepared for; prepare another.',
    ],
    [
      "a gradient under a name that had none",
      (make) => ({ w: make(1, 2), v: null }),
      (make) => ({ v: make(1), w: make(1, 2) }),
      RangeError,
      'gradients[1] "v" has 1 element, but the clip was prepared for no gradient; prepare another.',
    ],
    [
      "another length under a name",
      (make) => ({ w: make(1, 2), v: make(1) }),
      (make) => ({ v: make(1, 2), w: make(1, 2) }),
      RangeError,
      'gradients[1] "v" has 2 elements, but the clip was prepared for 1 element; prepare another.',
    ],
    [
      "a list instead of a record",
      (make) => ({ w: make(1, 2) }),
      (make) => [make(1, 2)],
      TypeError,
      "gradients is a list, but the clip was prepared for names; pass an object or a Map.",
    ],
    [
      "a record instead of a list",
      (make) => [make(1, 2)],
      (make) => ({ w: make(1, 2) }),
      TypeError,
      "gradients has names, but the clip was prepared for a list; pass a list.",
    ],
    [
      "a Map instead of a list",
      (make) => [make(1, 2)],
      (make) => new Map([["w", make(1, 2)]]),
      TypeError,
      "gradients has names, but the clip was prepared for a list; pass a list.",
    ],
  ];

  test.each(rows)("%s is refused", async (_, first, second, kind, message) => {
    const make = makeOn(side);
    const clip = clipperOn(side).prepare(first(make));
    const given = second(make);
    const act = () => clip.run(given);
    if (side === "GPU") await bench.refuses(act, kind, message);
    else await refused(act, kind, message);
    clip.run();
    expect((await clip.report()).steps, "steps that were taken").toBe(1);
  });

  test("a Map whose keys are no strings is refused", async () => {
    const gradients = new Map([[5, makeOn(side)(1)]]) as unknown as Gradients;
    const message = "gradients has the key 5; pass a Map whose keys are strings.";
    await refused(() => clipperOn(side).prepare(gradients), TypeError, message);
  });

  test("names stand by place in prepare's list", () => {
    const make = makeOn(side);
    const clipper = clipperOn(side);
    const names = (gradients: Gradients): Clip["names"] => clipper.prepare(gradients).names;
    expect(names({ a: make(1), b: null, c: { buffer: make(1), name: "d" } })).toEqual(["a", "b", "d"]);
    expect(names([make(1), null, { buffer: make(), name: "e" }])).toEqual([undefined, undefined, "e"]);
    expect(names(new Map([["f", make(1)]]))).toEqual(["f"]);
    expect(names([])).toEqual([]);
  });

  test("shapes are matched by name too", async () => {
    const make = makeOn(side);
    const view = (...shape: number[]) => {
      const ones = new Array<number>(shape.reduce((product, size) => product * size, 1)).fill(1);
      return { buffer: make(...ones), parameter: { buffer: make(...ones) }, shape };
    };
    const clip = clipperOn(side).prepare({ a: view(2, 3), b: view(3, 2) }, adaptiveGradClip());
    clip.run({ b: view(3, 2), a: view(2, 3) });
    const message = 'gradients[0] "a" has shape [3,2], but the clip was prepared for [2,3]; prepare another.';
    await refused(() => clip.run({ b: view(3, 2), a: view(3, 2) }), RangeError, message);
    expect((await clip.report()).steps).toBe(1);
  });
});

test("names in another order bind nothing anew", () => {
  const [a, b] = [bench.buffer([1, 2]), bench.buffer([3, 4])];
  const clip = bench.clipper.prepare({ a, b });
  const made = bench.calls.filter((call) => call.startsWith("create")).length;
  const encoder = bench.device.createCommandEncoder();
  clip.encode(encoder, { b, a });
  clip.encode(
    encoder,
    new Map([
      ["b", b],
      ["a", a],
    ]),
  );
  encoder.finish();
  const after = bench.calls.filter((call) => call.startsWith("create") && call !== "createCommandEncoder").length;
  expect(after).toBe(made);
});
