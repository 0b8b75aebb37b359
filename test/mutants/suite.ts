/** The conformance suite, case by case until one fails: what a mutant runs. */
import { createClipper } from "../../src/index.ts";
import { createCpuHarness } from "../conformance/harness.ts";
import { createWebGpuHarness } from "../conformance/harness-webgpu.ts";
import { allCases } from "../conformance/index.ts";
import { behindInputs } from "../conformance/shaderFunctions.ts";
import { appliesTo, runCase } from "../conformance/suite.ts";
import type { Harness } from "../conformance/types.ts";

/** As few as `into` leaves: kernels with few bindings compile soonest. */
const STORAGE_BUFFERS = 4;

export interface Gpu {
  readonly gpu: GPU;
  readonly device: GPUDevice;
}

export interface Failure {
  readonly name: string;
  readonly error: string;
}

/** The names of the cases of a group. */
export function namesOf(group: string): string[] {
  const found = allCases().filter(({ name }) => name.startsWith(`${group}: `));
  if (found.length === 0) throw new Error(`The suite has no group "${group}".`);
  return found.filter(({ heavy }) => !heavy).map(({ name }) => name);
}

/** Which mutant of a text with many is in force; 0 for none. */
export function choose(mutantNumber: number): void {
  behindInputs.word = mutantNumber;
}

/** The first of these cases that fails, on a device or else on the CPU. */
export async function firstFailure(
  names: readonly string[],
  on: Gpu | undefined,
  onStart: (name: string) => void,
): Promise<Failure | undefined> {
  const harness = on ? await createWebGpuHarness(on.gpu, on.device, STORAGE_BUFFERS) : await cpuHarness();
  const cases = new Map(allCases().map((one) => [one.name, one]));
  try {
    for (const name of names) {
      const testCase = cases.get(name);
      if (!testCase || !appliesTo(testCase, harness)) continue;
      onStart(name);
      try {
        await runCase(testCase, harness);
      } catch (error) {
        return { name, error: error instanceof Error ? error.message : String(error) };
      }
    }
    return undefined;
  } finally {
    harness.clipper.destroy();
  }
}

async function cpuHarness(): Promise<Harness> {
  return createCpuHarness(await createClipper({ backend: "cpu" }));
}
