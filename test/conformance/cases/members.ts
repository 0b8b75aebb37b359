/** Networks trained at once: the leading axis of every tensor, a norm and a scale for each member. */
import { type ClipReport, clipByGlobalNorm } from "../../../src/index.ts";
import { tensor } from "../build.ts";
import { fail, isNear, near, same } from "../expect.ts";
import { floatsOf, norm64, randomSource } from "../numbers.ts";
import type { Case, Harness, Tensor, UnitOptions } from "../types.ts";

interface Stack {
  readonly label: string;
  readonly members: number;
  /** Values of each tensor, all members one after the other. */
  readonly tensors: readonly (readonly number[])[];
  readonly maxNorm?: number;
  readonly options?: UnitOptions;
}

function random(length: number, seed: number, magnitude = 1): number[] {
  const source = randomSource(seed);
  return Array.from({ length }, () => Math.fround(source() * magnitude));
}

/** Where a member's values begin and end. */
function endsOf(values: ArrayLike<number>, member: number, members: number): [begin: number, end: number] {
  const length = values.length / members;
  return [member * length, (member + 1) * length];
}

function normOf(tensors: readonly (readonly number[])[], member: number, members: number): number {
  return norm64(tensors.flatMap((values) => values.slice(...endsOf(values, member, members))));
}

/** What a member's norm asks for, by the definition; a NaN or an infinity concerns nobody else. */
function wantedScale(norm: number, maxNorm: number, nonFinite = "zero"): number {
  if (!Number.isFinite(norm)) return nonFinite === "keep" ? 1 : 0;
  return norm > maxNorm ? maxNorm / norm : 1;
}

async function check(harness: Harness, { label, members, tensors, maxNorm = 1, options = {} }: Stack): Promise<void> {
  const list: Tensor[] = tensors.map((values) => tensor(values));
  const memory = harness.allocate(list);
  const method = clipByGlobalNorm(maxNorm, { members });
  const nonFinite = options.nonFinite ?? "zero";
  const clip = harness.prepare(memory.gradients, method, { nonFinite });
  clip.run();
  const report: ClipReport = await clip.report();
  const images = await memory.read();
  const after = [...images.values()].map(floatsOf);
  same(after.length, tensors.length, `${label}: memories`);
  const { memberNorms, memberScales, clippedMembers } = report;
  if (!memberNorms || !memberScales) fail(`${label}: no member norms`);
  same(memberNorms.length, members, `${label}: norms`);
  let clipped = 0;
  for (let member = 0; member < members; member++) {
    const norm = normOf(tensors, member, members);
    const scale = wantedScale(norm, maxNorm, nonFinite);
    near(memberNorms[member] as number, norm, 2, `${label}: norm of member ${member}`);
    near(memberScales[member] as number, scale, 2, `${label}: scale of member ${member}`);
    if (Number.isFinite(norm) && norm > maxNorm) clipped += 1;
    tensors.forEach((values, index) => {
      const [begin, end] = endsOf(values, member, members);
      for (let k = begin; k < end; k++) {
        const value = values[k] as number;
        const want = scale === 1 ? value : scale === 0 ? 0 : value * scale;
        const got = after[index]?.[k] as number;
        if (isNear(got, want, 2, 2 ** -126)) continue;
        near(got, want, 2, `${label}: tensor ${index}, member ${member}, element ${k - begin}`, 2 ** -126);
      }
    });
  }
  same(clippedMembers, clipped, `${label}: clipped members`);
  same(report.clipped, clipped > 0, `${label}: clipped`);
}

function stacks(label: string, list: readonly Stack[]): Case {
  return {
    name: label,
    script: async (harness) => {
      for (const stack of list) await check(harness, stack);
    },
  };
}

const SHAPES: readonly (readonly number[])[] = [[1], [4], [5], [3, 4], [1027, 32], [16, 7, 1], [4096, 5000, 12]];

export const cases: Case[] = [
  stacks(
    "2, 3, 8 and 33 members of many shapes",
    [2, 3, 8, 33].flatMap((members) =>
      SHAPES.map((shape, i) => ({
        label: `${members} members of [${shape}]`,
        members,
        tensors: shape.map((length, t) => random(members * length, 100 * i + t, 0.1)),
      })),
    ),
  ),
  stacks("one member is as no members", [
    { label: "one member", members: 1, tensors: [random(1000, 1), random(7, 2)] },
  ]),
  stacks("a member that explodes does not touch the others", [
    {
      label: "large",
      members: 3,
      tensors: [
        [0.1, 0.2, 3e38, 3e38, 0.3, 0.1],
        [0.1, 3e38, 0.2],
      ],
    },
    {
      label: "infinite",
      members: 3,
      tensors: [
        [0.1, 0.2, Infinity, 1, 0.3, 0.1],
        [0.1, 5, 0.2],
      ],
    },
    {
      label: "NaN",
      members: 3,
      tensors: [
        [0.1, 0.2, 1, Number.NaN, 3, 4],
        [0.1, 5, 0.2],
      ],
    },
    {
      label: "NaN, kept",
      members: 2,
      tensors: [[3, 4, 1, 2]],
      options: { nonFinite: "keep" },
    },
  ]),
  stacks("every magnitude, each member its own", [
    { label: "tiny and huge", members: 4, tensors: [[1e-30, 1e-30, 1e30, 1e30, 1, 2, 0, 0]], maxNorm: 0.5 },
    { label: "one at the bound", members: 2, tensors: [[3, 4, 6, 8]], maxNorm: 5 },
  ]),
  stacks("a thousand members", [
    { label: "1000 members", members: 1000, tensors: [random(3000, 9), random(1000, 10)] },
  ]),
  {
    name: "p-norms, each member by its own magnitude",
    script: async ({ allocate, prepare }) => {
      for (const p of [0.5, 3, 100]) {
        const values = [1, 1, 1e-5, 1e-5, 3, 4, Infinity, 1];
        const memory = allocate([tensor(values)]);
        const clip = prepare(memory.gradients, clipByGlobalNorm(1e-6, { normType: p, members: 4 }));
        await clip.ready;
        clip.run();
        const { memberNorms = fail("no norms"), clippedMembers } = await clip.report();
        [0, 1, 2].forEach((member) => {
          const [a, b] = values.slice(...endsOf(values, member, 4)).map(Math.fround) as [number, number];
          const largest = Math.max(a, b);
          const norm = largest * ((a / largest) ** p + (b / largest) ** p) ** (1 / p);
          near(memberNorms[member], norm, 25, `p ${p}: norm of member ${member}`);
        });
        same(memberNorms[3], Infinity, `p ${p}: norm of the infinite member`);
        same(clippedMembers, 3, `p ${p}: clipped members`);
      }
    },
  },
];
