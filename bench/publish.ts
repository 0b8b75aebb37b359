import type { Results } from "./benchmark.ts";
import type { Compiled } from "./isa/compiled.mjs";
import { codeTable, firstLoadTable, marginsTable } from "./isa/published.ts";
import { dispatchesTable, limitsTable, othersTable, targetsTable } from "./summary.ts";

/** Results as stored in a file, with the command that made them. */
export interface Recorded extends Results {
  readonly command: string;
  readonly date: string;
}

/** All that lies in bench/results. */
export interface Published {
  /** Runs of the same command. */
  readonly gpu: readonly Recorded[];
  readonly cpu: readonly Recorded[];
  readonly compiled: readonly Compiled[];
}

/** By the names of the files: cpu*.json, isa*.json, and all others. */
export function publishedFrom(names: readonly string[], read: (name: string) => string): Published {
  const parsed = (pattern: RegExp) =>
    names
      .filter((name) => pattern.test(name))
      .sort()
      .map((name) => JSON.parse(read(name)));
  return {
    gpu: parsed(/^(?!cpu|isa).*\.json$/),
    cpu: parsed(/^cpu.*\.json$/),
    compiled: parsed(/^isa.*\.json$/).flat(),
  };
}

/** docs/performance.md with everything recorded in its place. */
export function withMeasured(page: string, { gpu, cpu, compiled }: Published): string {
  const parts: Record<string, string> = {
    compiled: [marginsTable(compiled), codeTable(compiled), firstLoadTable(compiled)].join("\n\n"),
    dispatches: dispatchesTable(some(gpu)),
    measured: [madeBy(some(gpu)), othersTable(some(gpu)), limitsTable(some(gpu))].join("\n\n"),
    targets: targetsTable(some(gpu)),
    cpu: [madeBy(some(cpu)), targetsTable(some(cpu))].join("\n\n"),
  };
  return Object.entries(parts).reduce((text, [name, part]) => replaced(text, name, part), page);
}

function replaced(page: string, name: string, part: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`The page has no place between ${begin} and ${end}.`);
  return [before, begin, "\n\n", part, "\n\n", end, after].join("");
}

function madeBy(runs: readonly [Recorded, ...Recorded[]]): string {
  const [{ command, environment, date }] = runs;
  const { adapter, agent, engine } = environment;
  const where = engine === "cpu" ? agent : `${adapter}; ${engine}, ${agent}`;
  const times = runs.length === 1 ? "once" : `${runs.length} times in a row`;
  return `\`${command}\`, run ${times}, on ${where}, ${date.slice(0, 10)}:`;
}

function some(runs: readonly Recorded[]): readonly [Recorded, ...Recorded[]] {
  if (!runs[0]) throw new Error("bench/results lacks a run.");
  return runs as readonly [Recorded, ...Recorded[]];
}
