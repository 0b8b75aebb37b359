/** The conformance suite: every case on one engine, without anything of a test runner, of Node or of a page. */
import { createClipper } from "../../src/index.ts";
import { isSoftware } from "../../src/webgpu/grid.ts";
import { answerOf } from "../../src/webgpu/ownDevice.ts";
import { largestErrors } from "./cases/matrix.ts";
import { fail } from "./expect.ts";
import { createCpuHarness } from "./harness.ts";
import { createWebGpuHarness } from "./harness-webgpu.ts";
import { appliesTo, runCase } from "./suite.ts";
import type { Case, DependsOn, Harness } from "./types.ts";

export interface Environment {
  engine: string;
  /** Absent on the CPU. */
  gpu?: GPU;
  /** Part of the names of the cases to run. */
  filter?: string;
  /** Cases with ten million elements and more; default true. */
  heavy?: boolean;
  /** Default: all of them. */
  cases?: readonly Case[];
  /** Before the first case. */
  onCount?: (cases: number) => void;
  onResult?: (result: { name: string; error?: string }) => void;
}

/** The device of the suite was lost: no case after that says anything. */
export class LostGpuError extends Error {
  override readonly name = "LostGpuError";
}

export interface Totals {
  adapter: string;
  passed: number;
  failed: number;
  /** Of each method in each format, in ULP. */
  largestErrors: Record<string, { value: number; norm: number }>;
}

/**
 * On a software adapter a kernel compiles for as long as hundreds of cases run. So the suite plans for few storage buffers there,
 * unless a case forces another number: one for the partials, and two for gradients, which take every branch between bindings and within
 * a list of them. These kernels compile in three quarters of the time of those for three gradients, and far faster than for a device's
 * default, 7.
 */
const FEW_BUFFERS = 3;

/**
 * And there no more than one engine of a kind runs a case that depends on that kind alone, unless a filter asks for it. Node runs
 * every case. Dawn's Tint compiles for Node and for Chromium, in two versions, wgpu's naga for Deno and for Firefox. The driver is
 * SwiftShader, and Mesa's for Firefox. So Deno and Firefox each have a pair of compiler and driver that no other engine has, and Chromium
 * has that of Node. Chromium runs the cases in which its own process or its wire could matter: reads between steps, histories, memories
 * that are saved and resumed. And it runs the matrix of formats and methods, so that its version of Tint compiles these kernels.
 */
const LEFT_OUT: Readonly<Record<string, readonly DependsOn[]>> = {
  chromium: ["plan", "text", "compiler", "driver", "kernels"],
  deno: ["plan", "text", "driver"],
  firefox: ["plan", "text", "compiler"],
};

type Counts = Omit<Totals, "largestErrors">;

// A file in cases/ is part of the suite by being there.
const files = import.meta.glob<{ cases: readonly Case[] }>("./cases/*.ts", { eager: true });

export function allCases(): Case[] {
  const cases = Object.entries(files).flatMap(([path, file]) => {
    const group = path.replace(/^.*\/|\.ts$/g, "");
    return file.cases.map((testCase) => ({ ...testCase, name: `${group}: ${testCase.name}` }));
  });
  const names = new Set(cases.map(({ name }) => name));
  if (names.size !== cases.length) fail("two cases have the same name");
  return cases;
}

export async function runConformance(environment: Environment): Promise<Totals> {
  const totals = await (environment.gpu ? runOnGpu(environment, environment.gpu) : runOnCpu(environment));
  return { ...totals, largestErrors: Object.fromEntries(largestErrors) };
}

async function runOnCpu(environment: Environment): Promise<Counts> {
  const clipper = await createClipper({ backend: "cpu" });
  const totals = { adapter: "cpu", passed: 0, failed: 0 };
  await runAll(createCpuHarness(clipper), environment, totals);
  clipper.destroy();
  return totals;
}

async function runOnGpu(environment: Environment, gpu: GPU): Promise<Counts> {
  // Twice: see src/webgpu/ownDevice.ts.
  const request = async () => (await gpu.requestAdapter()) ?? gpu.requestAdapter();
  const adapter = await answerOf(request(), "adapter");
  if (!adapter) fail(`${environment.engine}: requestAdapter gave no adapter`);
  const { vendor, architecture, device: name, description } = adapter.info;
  const hasSlowCompiler = isSoftware(adapter.info);
  const device = await answerOf(adapter.requestDevice(), "device");
  const uncaptured: string[] = [];
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    uncaptured.push((event as GPUUncapturedErrorEvent).error.message);
  });
  const totals = {
    adapter: [vendor, architecture, name, description].filter(Boolean).join(" "),
    passed: 0,
    failed: 0,
  };
  const harness = await createWebGpuHarness(gpu, device, hasSlowCompiler ? FEW_BUFFERS : undefined);
  const leftOut = hasSlowCompiler && !environment.filter ? LEFT_OUT[environment.engine] : undefined;
  await runAll(harness, environment, totals, device, leftOut);
  harness.clipper.destroy();
  await device.queue.onSubmittedWorkDone();
  const noErrors = async () => {
    if (uncaptured.length > 0) fail(`${uncaptured.length} uncaptured errors, the first: ${uncaptured[0]}`);
  };
  await count("suite: no uncaptured error on the device", noErrors, environment, totals, device);
  device.destroy();
  return totals;
}

async function runAll(
  harness: Harness,
  environment: Environment,
  totals: Counts,
  device?: GPUDevice,
  leftOut: readonly DependsOn[] = [],
): Promise<void> {
  const { filter = "", heavy = true, cases: given = allCases() } = environment;
  const wanted = ({ name, heavy: isHeavy, dependsOn }: Case) =>
    name.includes(filter) && (heavy || !isHeavy) && !(dependsOn && leftOut.includes(dependsOn));
  const cases = given.filter((testCase) => wanted(testCase) && appliesTo(testCase, harness));
  if (cases.length === 0) fail(`no case for ${environment.engine} has "${filter}" in its name`);
  // On a device, one more follows the others.
  environment.onCount?.(cases.length + (device ? 1 : 0));
  for (const testCase of cases) {
    await count(testCase.name, () => runCase(testCase, harness), environment, totals, device);
  }
}

/** Rejects if the device is lost. */
async function requireLive(device: GPUDevice): Promise<void> {
  const later = new Promise<undefined>((resolve) => setTimeout(resolve, 50));
  const info = await Promise.race([device.lost, later]);
  if (info) throw new LostGpuError(info.message || "no reason was given");
}

async function count(
  name: string,
  work: () => Promise<void>,
  { onResult }: Environment,
  totals: Counts,
  device?: GPUDevice,
): Promise<void> {
  try {
    await work();
    totals.passed++;
    onResult?.({ name });
  } catch (error) {
    if (device) await requireLive(device);
    totals.failed++;
    // A compiler's complaint brings the whole kernel with it.
    onResult?.({ name, error: (error instanceof Error ? error.message : String(error)).slice(0, 2000) });
  }
}
