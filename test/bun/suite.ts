/**
 * What runs in Bun. Its WebGPU is Dawn, as Node's, so that the kernels compute alike; what can differ is how calls and memory
 * reach them. So of the conformance suite the groups that depend on that, and then what is for Bun alone.
 */
import { allCases, type Environment, runConformance as run, type Totals } from "../conformance/index.ts";
import { casesOfBun } from "./cases.ts";

export { createClipper } from "../../src/index.ts";

const groups = ["semantics", "steps", "tensorNorms", "tensors", "value", "values", "views", "webgpuEncode"];

export function runConformance(environment: Environment): Promise<Totals> {
  const part = allCases().filter(({ name }) => groups.includes(name.replace(/:.*/, "")));
  return run({ ...environment, cases: [...part, ...casesOfBun] });
}
