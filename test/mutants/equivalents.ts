import type { Mutant } from "./operators.ts";

/** A mutant that no input can tell from the shader as it is, or that only costs time. */
export interface Equivalent extends Omit<Mutant, "nth"> {
  readonly reason: string;
}

export const equivalents: readonly Equivalent[] = [];

export function reasonOf({ file, before, after }: Mutant): string | undefined {
  return equivalents.find((one) => one.file === file && one.before === before && one.after === after)?.reason;
}
