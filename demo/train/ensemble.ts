import type { Digits } from "../../bench/training/digits.ts";
import { type Exam, type Member, Networks } from "../../bench/training/networks.ts";
import { type EnsembleReport, ensembleMethods, rates } from "./ensembleReport.ts";
import { methods } from "./methods.ts";
import type { Settings } from "./settings.ts";

const stepsPerExam = 50;

interface Ensemble {
  digits: Digits;
  exam: Exam;
  settings: Settings;
  seeds: number;
  steps: number;
  isWanted: () => Promise<boolean>;
  onReport: (report: EnsembleReport) => void;
}

/** Trains `seeds` initialisations at each rate by each method, all of a method together. Returns whether it finished. */
export async function trainEnsemble(ensemble: Ensemble): Promise<boolean> {
  const { digits, exam, settings, seeds, steps, isWanted, onReport } = ensemble;
  const members: Member[] = rates.flatMap((learningRate) =>
    Array.from({ length: seeds }, (_, index) => ({ seed: settings.seed + index, learningRate })),
  );
  const bounds = { none: 0, value: settings.value, norm: settings.bound };
  const groups = ensembleMethods.map(
    (name) => new Networks(digits, members, methods[name](bounds[name], members.length)),
  );
  const cells: EnsembleReport["cells"] = groups.map(() => members.map(() => ({})));
  try {
    for (let step = 1; step <= steps; step++) {
      for (const [index, group] of groups.entries()) {
        if (!(await isWanted())) return false;
        const states = cells[index] ?? [];
        const { losses, norms } = await group.step();
        states.forEach((cell, member) => {
          const sum = (losses[member] as number) + (norms[member] as number);
          if (!Number.isFinite(sum)) cell.explodedAt ??= step;
        });
        if (step % stepsPerExam > 0) continue;
        const { accuracy } = await group.examine(exam);
        states.forEach((cell, member) => {
          cell.accuracy = accuracy[member];
        });
      }
      onReport({ step, steps, cells });
    }
    return true;
  } finally {
    for (const group of groups) group.dispose();
  }
}
