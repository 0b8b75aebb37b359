// npm run experiment: trains every cell of plan.ts that .cache/experiment does not hold yet, and writes docs/experiment.json,
// docs/experiment.svg and docs/race.svg. After an interruption it continues with the unfinished cell. `--webgpu`: the cross-check, in its own process.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Backend, onCpu, onWebGpu } from "../training/backend.ts";
import { Digits } from "../training/digits.ts";
import { compile, type Exam } from "../training/networks.ts";
import { uploadSequence } from "../training/rnn.ts";
import { type CellResult, runCell } from "./cell.ts";
import { drawFigure } from "./figure.ts";
import { adamCells, type Cell, cells, crossCheck, longCells, seeds } from "./plan.ts";
import { drawRace } from "./raceFigure.ts";
import { summarise } from "./summary.ts";

export interface Folders {
  repository: string;
  cache: string;
}

const everyCell = [...cells, ...longCells, ...adamCells];

/** Trains the cells that are missing. */
export async function train({ repository, cache }: Folders, onGpu: boolean): Promise<void> {
  const finished = join(cache, "experiment");
  mkdirSync(finished, { recursive: true });
  const wanted = onGpu ? [crossCheck] : everyCell;
  const missing = wanted.filter((cell) => !existsSync(fileOf(finished, cell, onGpu)));
  if (missing.length === 0) return;
  await runAll(missing, onGpu, new Digits(readFileSync(join(repository, "bench/training/digits8.bin"))), finished);
}

/** Writes the files to commit from the trained cells, and names the others as missing. */
export function write({ repository, cache }: Folders): void {
  const trained = (cell: Cell) => existsSync(fileOf(join(cache, "experiment"), cell, false));
  const read = (onGpu: boolean) => (cell: Cell) =>
    JSON.parse(readFileSync(fileOf(join(cache, "experiment"), cell, onGpu), "utf8")) as CellResult;
  const missing = everyCell.filter((cell) => !trained(cell));
  const results = (of: readonly Cell[]) => of.filter(trained).map(read(false));
  const summary = summarise(
    { main: results(cells), long: results(longCells), adam: results(adamCells) },
    read(true)(crossCheck),
    missing,
  );
  writeFileSync(join(repository, "docs/experiment.json"), `${JSON.stringify(summary)}\n`);
  writeFileSync(join(repository, "docs/experiment.svg"), drawFigure(summary));
  writeFileSync(join(repository, "docs/race.svg"), drawRace(summary));
}

async function runAll(missing: readonly Cell[], onGpu: boolean, digits: Digits, finished: string): Promise<void> {
  const backend = await start(onGpu);
  const heldOut = digits.heldOut();
  const exam: Exam = { inputs: uploadSequence(heldOut), labels: digits.heldOutLabels() };
  await compile(seeds.length, digits, exam);
  for (const [index, cell] of missing.entries()) {
    // Another process may have trained it meanwhile.
    if (existsSync(fileOf(finished, cell, onGpu))) continue;
    const title = `${index + 1} of ${missing.length}: ${[cell.mode, cell.optimizer].filter(Boolean).join(", ")}, rate ${cell.learningRate}, ${backend.badge}`;
    const begun = performance.now();
    const result = await runCell(cell, backend, digits, exam, (step) => {
      if (step % 50 > 0) return;
      const left = ((performance.now() - begun) / step) * (cell.steps - step);
      console.log(`${title}: step ${step} of ${cell.steps}, at most ${Math.ceil(left / 1000)} s to go`);
    });
    const target = fileOf(finished, cell, onGpu);
    writeFileSync(`${target}.part`, JSON.stringify(result));
    renameSync(`${target}.part`, target);
  }
}

async function start(onGpu: boolean): Promise<Backend> {
  if (!onGpu) return onCpu("requested");
  const backend = await onWebGpu();
  if (!backend) throw new Error("jax-js found no WebGPU; the cross-check needs an adapter.");
  return backend;
}

/** The name says everything that the result depends on. */
function fileOf(folder: string, { mode, learningRate, steps, untilGoal, optimizer }: Cell, onGpu: boolean): string {
  const name = [mode, learningRate, steps, seeds.length, untilGoal && "goal", optimizer, onGpu && "webgpu"].filter(
    Boolean,
  );
  return join(folder, `${name.join("-")}.json`);
}
