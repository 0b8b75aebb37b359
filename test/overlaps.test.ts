/** Lists of random ranges in one buffer: those are refused in which two ranges meet that must not, and no others. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { refuseOverlaps, writesOf } from "../src/overlaps.ts";
import type { Range } from "../src/ranges.ts";
import type { Tensor } from "../src/view.ts";

const buffers = [new ArrayBuffer(128), new ArrayBuffer(128)];

const range: fc.Arbitrary<Range> = fc
  // A gradient of no examples is empty, and meets nothing.
  .tuple(fc.nat({ max: 1 }), fc.nat({ max: 12 }), fc.nat({ max: 6 }))
  .map(([buffer, first, words]) => ({
    buffer: buffers[buffer] as ArrayBuffer,
    byteOffset: 8 * first,
    byteLength: 4 * words,
  }));
const dtype = fc.constantFrom("f16", "f16", "bf16");
const tensor = fc.record(
  { source: range, into: range, parameter: fc.record({ source: range, dtype }), dtype },
  { requiredKeys: ["source", "dtype"] },
);
/** Some are listed again, as they are or with a small difference. */
const lists = fc
  .array(fc.tuple(tensor, fc.option(fc.record({ into: range, dtype }, { requiredKeys: [] }))), {
    minLength: 1,
    maxLength: 4,
  })
  .map((drawn) => drawn.flatMap(([one, change]) => (change ? [one, { ...one, ...change }] : [one])))
  .map((list) => list.map((one, index) => ({ ...one, index, label: `gradients[${index}]` }) as unknown as Tensor));

interface Use {
  readonly range: Range;
  readonly of: Tensor;
  readonly as: string;
}

function usesOf(list: readonly Tensor[]): Use[] {
  return list.flatMap((of) => [
    { range: of.source, of, as: "gradient" },
    ...(of.into ? [{ range: of.into, of, as: "into" }] : []),
    ...(of.parameter ? [{ range: of.parameter.source, of, as: "parameter" }] : []),
  ]);
}

const asText = (one: Range | undefined) =>
  one ? `${buffers.indexOf(one.buffer as ArrayBuffer)} ${one.byteOffset} ${one.byteLength}` : "none";

function mayMeet(a: Use, b: Use): boolean {
  const [x, y] = [a.range, b.range];
  if (x.byteLength === 0 || y.byteLength === 0) return true;
  const areApart =
    x.buffer !== y.buffer || x.byteOffset + x.byteLength <= y.byteOffset || y.byteOffset + y.byteLength <= x.byteOffset;
  if (areApart) return true;
  if (a.as !== b.as) return false;
  if (a.as === "parameter") return true;
  if (asText(x) !== asText(y) || a.of.dtype !== b.of.dtype) return false;
  if (a.as === "into") return asText(a.of.source) === asText(b.of.source);
  const parameterOf = ({ parameter }: Tensor) => parameter && `${asText(parameter.source)} ${parameter.dtype}`;
  return parameterOf(a.of) === parameterOf(b.of);
}

test("a list is refused where two of its ranges meet that must not, and only there", () => {
  const seen = { taken: 0, refused: 0 };
  fc.assert(
    fc.property(lists, (list) => {
      const uses = usesOf(list);
      const isGood = uses.every((a, i) => uses.slice(i + 1).every((b) => mayMeet(a, b)));
      seen[isGood ? "taken" : "refused"] += 1;
      if (isGood) refuseOverlaps(list);
      else expect(() => refuseOverlaps(list)).toThrow(RangeError);
    }),
    { numRuns: 8000 },
  );
  expect(seen.taken).toBeGreaterThan(500);
  expect(seen.refused).toBeGreaterThan(500);
});

test("a gradient inside a long parameter is seen behind a short one", () => {
  const [at, other] = buffers as [ArrayBuffer, ArrayBuffer];
  const part = (buffer: ArrayBuffer, byteOffset: number, byteLength: number) => ({ buffer, byteOffset, byteLength });
  const sources = [part(other, 0, 4), part(other, 8, 4), part(at, 16, 4)];
  const parameters = [part(at, 0, 24), part(at, 8, 4), undefined];
  const list = sources.map((source, index) => {
    const parameter = parameters[index] && { source: parameters[index], dtype: "f32" };
    return { source, parameter, dtype: "f32", index, label: `gradients[${index}]` } as unknown as Tensor;
  });
  expect(() => refuseOverlaps(list)).toThrow(/gradients\[0\]\.parameter and gradients\[2\] overlap/);
});

test("each pair of source and destination is written once, those into other places first", () => {
  fc.assert(
    fc.property(lists, (list) => {
      const all = list.map((tensor) => ({ tensor }));
      const written = writesOf(list, all).flatMap(({ tensors, pieces }) => {
        expect(pieces.map(({ tensor }) => tensor)).toEqual(tensors);
        return tensors;
      });
      const keyOf = ({ source, into }: Tensor) =>
        `${asText(source).replace(/ \d+$/, "")}, ${asText(into).replace(/ \d+$/, "")}`;
      expect(new Set(written.map(keyOf))).toEqual(new Set(list.map(keyOf)));
      expect(written.length).toBe(new Set(list.map(keyOf)).size);
      const isInto = written.map(({ into }) => into !== undefined);
      expect(isInto).toEqual([...isInto].sort((a, b) => Number(b) - Number(a)));
    }),
    { numRuns: 2000 },
  );
});
