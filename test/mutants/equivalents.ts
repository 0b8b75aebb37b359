import { adapters } from "./equivalents/adapters.ts";
import { chosen } from "./equivalents/chosen.ts";
import { clamp } from "./equivalents/clamp.ts";
import { host } from "./equivalents/host.ts";
import { hostDevice } from "./equivalents/hostDevice.ts";
import { hostMethods } from "./equivalents/hostMethods.ts";
import { kernels } from "./equivalents/kernels.ts";
import { shared } from "./equivalents/shared.ts";
import { sumExamples } from "./equivalents/sumExamples.ts";
import type { Mutant } from "./operators.ts";

/** A mutant that no input can tell from the shader as it is, or that only costs time. */
export interface Equivalent extends Omit<Mutant, "nth"> {
  readonly reason: string;
}

const equivalents: readonly Equivalent[] = [
  ...clamp,
  ...sumExamples,
  ...kernels,
  ...chosen,
  ...shared,
  ...host,
  ...hostDevice,
  ...hostMethods,
  ...adapters,
];

export function reasonOf({ file, before, after }: Mutant): string | undefined {
  return equivalents.find((one) => one.file === file && one.before === before && one.after === after)?.reason;
}
