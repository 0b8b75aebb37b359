/** Messages say "1 element" and "2 elements", and name a gradient that has another structure. */
import { expect, test } from "vitest";
import {
  autoClip,
  clipByGlobalNorm,
  clipPerExample,
  createClipper,
  type Gradients,
  NonFiniteGradientError,
} from "../src/index.ts";
import { refused } from "./support/refused.ts";

const clipper = await createClipper({ backend: "cpu" });
const array = (length: number) => new Float32Array(length).fill(1);

const otherStructures: [prepared: Gradients, now: Gradients, message: string][] = [
  [[], [array(2)], "There is 1 gradient, but the clip was prepared for 0; prepare another."],
  [[array(2)], [array(2), null], "There are 2 gradients, but the clip was prepared for 1; prepare another."],
  [[array(1)], [array(2)], "gradients[0] has 2 elements, but the clip was prepared for 1 element; prepare another."],
  [
    { bias: array(2), kernel: array(1) },
    { bias: array(2), kernel: array(0) },
    'gradients[1] "kernel" has 0 elements, but the clip was prepared for 1 element; prepare another.',
  ],
  [
    [array(2), { buffer: array(1), name: "kernel" }],
    [array(2), array(0)],
    'gradients[1] "kernel" has 0 elements, but the clip was prepared for 1 element; prepare another.',
  ],
  [
    [{ length: 2, dtype: "f16", name: "kernel" }],
    [{ buffer: array(2) }],
    'gradients[0] "kernel" has 2 elements, but the clip was prepared for 2 f16 elements; prepare another.',
  ],
];

test.each(otherStructures)("of another structure: %#", async (prepared, now, message) => {
  const clip = clipper.prepare(prepared);
  await refused(() => clip.run(now), RangeError, message);
});

test("of members and examples", async () => {
  const shaped = (length: number, shape: number[]) => [{ buffer: array(length), shape }];
  const members = (count: number) => clipByGlobalNorm(1, { members: count });
  await refused(
    () => clipper.prepare(shaped(2, [2]), members(1)),
    RangeError,
    "gradients[0] has a leading axis of 2, but the method is for 1 member; pass as many.",
  );
  await refused(
    () => clipper.prepare([array(1)], members(2)),
    RangeError,
    "gradients[0] has 1 element, which 2 members cannot share equally; make the members its leading axis.",
  );
  await refused(
    () => clipper.prepare(shaped(2, [2]), clipPerExample(1, { examples: 1 })),
    RangeError,
    "gradients[0] has a leading axis of 2, but the method is for 1 example; pass as many.",
  );
});

test("of memory that went", async () => {
  const gradient = array(1);
  const clip = clipper.prepare([gradient]);
  structuredClone(gradient.buffer, { transfer: [gradient.buffer] });
  const message = "gradients[0] is on a detached ArrayBuffer; pass the array that owns it now.";
  await refused(() => clip.run(), TypeError, message);
});

test("of a state", async () => {
  const clip = clipper.prepare([array(1)], autoClip());
  await refused(() => clip.restore(new ArrayBuffer(1)), RangeError, /^The state has 1 byte, but that of autoClip/);
});

test("of what is not finite", async () => {
  const clip = clipper.prepare({ w: new Float32Array([1, Number.NaN]) });
  clip.run();
  const error = await refused(
    () => clip.report({ throwIfNonFinite: true }),
    NonFiniteGradientError,
    'The gradients hold 1 NaN or infinite value; the first is gradients[0] "w", element 1; skip this step or lower the loss scale.',
  );
  expect((error as NonFiniteGradientError).report.nonFinite).toBe(1);
});
