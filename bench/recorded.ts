import type { Environment } from "./environment.ts";
import { clippingOf, type Machine } from "./plot.ts";
import type { Recorded } from "./publish.ts";

/** The recorded runs, as the benchmark page opens with them. */
export interface Recordings {
  /** One run in full: on a GPU where there is one, else on a software adapter. */
  readonly shown: Recorded;
  readonly file: string;
  /** Every other machine's clipping: faint lines on the plot. */
  readonly others: readonly (Machine & { readonly isSoftware: boolean })[];
}

/** `names` are those of bench/results and of its folder machines, where a visitor's report lies: "machines/card.json". */
export function recordingsFrom(names: readonly string[], read: (name: string) => string): Recordings {
  const files = names.filter((name) => /^(?!cpu|isa).*\.json$/.test(name)).sort();
  const runs = files.map((file) => ({ file, run: JSON.parse(read(file)) as Recorded }));
  const [first] = [...runs].sort((a, b) => Number(isSoftware(a.run)) - Number(isSoftware(b.run)));
  if (!first) throw new Error("bench/results lacks a run on WebGPU.");
  const byMachine = new Map(runs.map(({ run }) => [run.environment.adapter, run]));
  byMachine.delete(first.run.environment.adapter);
  const others = [...byMachine.values()].map((run) => ({
    name: machineName(run.environment),
    points: clippingOf(run),
    isSoftware: isSoftware(run),
  }));
  return { shown: first.run, file: first.file, others };
}

function isSoftware({ environment }: Recorded): boolean {
  return environment.isSoftware === true;
}

/** The adapter, and that it is no GPU where it is none. */
export function machineName({ adapter, isSoftware }: Pick<Environment, "adapter" | "isSoftware">): string {
  return isSoftware ? `${softwareName(adapter)}, WebGPU emulated in software` : adapter;
}

/** Software adapters have long names, with the version of every part. */
function softwareName(adapter: string): string {
  const [name] = /SwiftShader|llvmpipe/.exec(adapter) ?? [adapter];
  const [mesa] = /Mesa [\d.]+/.exec(adapter) ?? [];
  return mesa ? `${name} (${mesa})` : name;
}
