import type { Mutant } from "./operators.ts";

/** A mutant that no input can tell from the shader as it is, or that only costs time. */
export interface Equivalent extends Omit<Mutant, "nth"> {
  readonly reason: string;
}

export const equivalents: readonly Equivalent[] = [
  {
    file: "scale",
    before: "let isFast = (scaling.flags & 14u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS;",
    after: "let isFast = (scaling.flags & 15u) == 0u && scaling.scale.y == ONE_BITS && scaling.scale.x < ONE_BITS;",
    reason: "What is clipped takes the careful path, which gives the same bits and takes longer.",
  },
];

export function reasonOf({ file, before, after }: Mutant): string | undefined {
  return equivalents.find((one) => one.file === file && one.before === before && one.after === after)?.reason;
}
