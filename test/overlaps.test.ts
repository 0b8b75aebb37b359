/** Lists of random ranges in one buffer: those are refused in which two ranges meet that must not, and no others. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { refuseOverlaps, refuseTwo, writesOf } from "../src/overlaps.ts";
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

const [one, other] = buffers as [ArrayBuffer, ArrayBuffer];

function part(buffer: ArrayBuffer, byteOffset: number, byteLength: number): Range {
  return { buffer, byteOffset, byteLength };
}

interface Parts {
  readonly source: Range;
  readonly into?: Range;
  readonly parameter?: Range;
  readonly dtype?: string;
  readonly parameterDtype?: string;
}

function listOf(parts: readonly Parts[]): Tensor[] {
  return parts.map(({ source, into, parameter, dtype = "f32", parameterDtype = "f32" }, index) => {
    const read = parameter && { source: parameter, dtype: parameterDtype };
    return { source, into, parameter: read, dtype, index, label: `gradients[${index}]` } as unknown as Tensor;
  });
}

const apart = "pass ranges that are apart.";
const apartOrSame = "pass ranges that are apart or the same.";
const messages: Record<string, [parts: Parts[], message: string]> = {
  "a gradient inside a long parameter, behind a short one": [
    [
      { source: part(other, 0, 4), parameter: part(one, 0, 24) },
      { source: part(other, 8, 4), parameter: part(one, 8, 4) },
      { source: part(one, 16, 4) },
    ],
    "gradients[0].parameter and gradients[2] overlap (bytes 0 to 24 and bytes 16 to 20 of one buffer); pass ranges that are apart.",
  ],
  "a gradient inside two parameters that are one": [
    [
      { source: part(other, 0, 4), parameter: part(one, 0, 8) },
      { source: part(other, 8, 4), parameter: part(one, 0, 8) },
      { source: part(one, 4, 4) },
    ],
    "gradients[0].parameter and gradients[2] overlap (bytes 0 to 8 and bytes 4 to 8 of one buffer); pass ranges that are apart.",
  ],
  "a gradient that is its own parameter": [
    [{ source: part(one, 0, 8), parameter: part(one, 0, 8) }],
    "gradients[0] and gradients[0].parameter overlap (bytes 0 to 8 and bytes 0 to 8 of one buffer); pass ranges that are apart.",
  ],
  "an into over another gradient's parameter": [
    [
      { source: part(other, 0, 8), into: part(one, 4, 8) },
      { source: part(other, 8, 8), parameter: part(one, 0, 8) },
    ],
    "gradients[0].into and gradients[1].parameter overlap (bytes 4 to 12 and bytes 0 to 8 of one buffer); pass ranges that are apart.",
  ],
  "two gradients, the later one first in memory": [
    [{ source: part(one, 4, 8) }, { source: part(one, 0, 8) }],
    `gradients[0] and gradients[1] overlap (bytes 4 to 12 and bytes 0 to 8 of one buffer); ${apartOrSame}`,
  ],
  "a gradient and its own into": [
    [{ source: part(one, 0, 8), into: part(one, 4, 8) }],
    `gradients[0] and gradients[0].into overlap (bytes 0 to 8 and bytes 4 to 12 of one buffer); ${apart}`,
  ],
  "an into where another gradient is": [
    [{ source: part(other, 0, 8), into: part(one, 0, 8) }, { source: part(one, 0, 8) }],
    `gradients[0].into and gradients[1] overlap (bytes 0 to 8 and bytes 0 to 8 of one buffer); ${apart}`,
  ],
  "a gradient where another one's into is": [
    [{ source: part(one, 0, 8) }, { source: part(other, 0, 8), into: part(one, 0, 8) }],
    `gradients[0] and gradients[1].into overlap (bytes 0 to 8 and bytes 0 to 8 of one buffer); ${apart}`,
  ],
  "one into for two gradients": [
    [
      { source: part(other, 0, 8), into: part(one, 0, 8) },
      { source: part(other, 8, 8), into: part(one, 0, 8) },
    ],
    `gradients[0].into and gradients[1].into overlap (bytes 0 to 8 and bytes 0 to 8 of one buffer); ${apartOrSame}`,
  ],
  "the same bytes in two formats": [
    [
      { source: part(one, 0, 8), dtype: "f16" },
      { source: part(one, 0, 8), dtype: "bf16" },
    ],
    'gradients[0] and gradients[1] are the same bytes, once as "f16" and once as "bf16"; pass one dtype.',
  ],
  "some of the same bytes in two formats": [
    [{ source: part(one, 0, 8), dtype: "f16" }, { source: part(one, 4, 8) }],
    `gradients[0] and gradients[1] overlap (bytes 0 to 8 and bytes 4 to 12 of one buffer); ${apartOrSame}`,
  ],
  "the same bytes with two parameters": [
    [
      { source: part(one, 0, 8), parameter: part(other, 0, 8) },
      { source: part(one, 0, 8), parameter: part(other, 8, 8) },
    ],
    "gradients[0] and gradients[1] are the same bytes with two parameters; pass one parameter.",
  ],
  "the same bytes, one of them without a parameter": [
    [{ source: part(one, 0, 8), parameter: part(other, 0, 8) }, { source: part(one, 0, 8) }],
    "gradients[0] and gradients[1] are the same bytes with two parameters; pass one parameter.",
  ],
};

test.each(Object.entries(messages))("%s: the message names both", (_, [parts, message]) => {
  expect(() => refuseOverlaps(listOf(parts))).toThrow(new RangeError(message));
});

test("ranges that touch are apart, also where the buffers come by turns", () => {
  const sources = [part(other, 8, 8), part(one, 8, 8), part(other, 0, 8), part(one, 0, 8)];
  expect(() => refuseOverlaps(listOf(sources.map((source) => ({ source }))))).not.toThrow();
});

test("the same bytes are one thing: with two groups they are refused, and two gradients may have one each", () => {
  const list = listOf(
    [part(one, 0, 8), part(one, 8, 8), part(other, 0, 8), part(one, 0, 8)].map((source) => ({ source })),
  );
  const groups = ["a", "b", "c", "a"];
  const shownOf = ({ index }: Tensor) => groups[index] ?? "";
  expect(() => refuseTwo(list, "group", shownOf)).not.toThrow();
  groups[3] = "d";
  expect(() => refuseTwo(list, "group", shownOf)).toThrow(
    new RangeError("gradients[0] and gradients[3] are the same bytes with groups a and d; pass one group."),
  );
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
