/** Before each file of unit tests: what one left behind that failed is gone, and those that share a device have one. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import type { Plugin } from "vite";
import { afterAll, beforeAll, expect, inject, vi } from "vitest";
import { remembering } from "./pipelines.mjs";

// The first counterexample kills: nobody reads the smallest.
fc.configureGlobal({ endOnFailure: true });

vi.useRealTimers();
vi.unstubAllGlobals();
vi.restoreAllMocks();

interface Task {
  readonly id: string;
  readonly result?: { readonly state: string; readonly duration?: number };
  readonly tasks?: Task[];
}

/** Kept in the process from file to file: a device, so that each kernel is compiled once, and what each test took. */
const kept = globalThis as {
  lastingDevice?: { device: GPUDevice; reset(): void } | undefined;
  durations?: Map<string, number>;
};
kept.durations ??= new Map();
const { durations } = kept;

/** What takes no time runs first: most mutants fail there. */
function sortByDuration(tasks: Task[]): void {
  for (const { tasks: inner } of tasks) if (inner) sortByDuration(inner);
  tasks.sort((a, b) => (durations.get(a.id) ?? 0) - (durations.get(b.id) ?? 0));
}

function noteDurations(tasks: readonly Task[]): void {
  for (const { id, result, tasks: inner } of tasks) {
    if (result?.state === "pass") durations.set(id, result.duration ?? 0);
    if (inner) noteDurations(inner);
  }
}

/** Makes an object's own properties what they are now. */
function resetting(object: object): () => void {
  const own = Object.getOwnPropertyDescriptors(object);
  return () => {
    for (const key of Object.getOwnPropertyNames(object)) Reflect.deleteProperty(object, key);
    Object.defineProperties(object, own);
  };
}

async function lastingDevice(newDevice: () => Promise<GPUDevice>): Promise<GPUDevice> {
  if (!kept.lastingDevice) {
    const device = remembering(await newDevice());
    const resets = [device, device.queue].map(resetting);
    const reset = () => {
      for (const one of resets) one();
    };
    const lasting = { device, reset };
    kept.lastingDevice = lasting;
    device.lost.then(() => {
      if (kept.lastingDevice === lasting) kept.lastingDevice = undefined;
    });
  }
  kept.lastingDevice.reset();
  return kept.lastingDevice.device;
}

const { testPath = "" } = expect.getState();

declare module "vitest" {
  interface ProvidedContext {
    mutant: { path: string; text: string };
  }
}

/** A page is built by Vite, which would read the file as it is. */
function mutatePages(): void {
  vi.doMock("vite", async (original) => {
    const vite = await original<typeof import("vite")>();
    const { path, text } = inject("mutant");
    const mutant: Plugin = { name: "mutant", enforce: "pre", load: (id) => (id === path ? text : undefined) };
    const build: typeof vite.build = (config) =>
      vite.build({ ...config, plugins: [mutant, ...(config?.plugins ?? [])] });
    return { ...vite, build };
  });
}
if (testPath.includes("/pages/")) mutatePages();
if (readFileSync(testPath, "utf8").includes('"./support/bench.ts"')) {
  const { newDevice } = await import("../support/workbench.ts");
  const { openBench } = await import("../support/bench.ts");
  beforeAll(async () => openBench(await lastingDevice(newDevice)));
  await import("../support/hooks.ts");
} else {
  // With a device the first test makes what the others find.
  // biome-ignore lint/correctness/noEmptyPattern: Vitest takes a first argument by destructuring alone.
  beforeAll(({}, { tasks }) => sortByDuration(tasks));
  // biome-ignore lint/correctness/noEmptyPattern: the same.
  afterAll(({}, { tasks }) => noteDurations(tasks));
}
