import type { Steps } from "./network.ts";

/** The three runs side by side. `chosen` clips by norm unless the visitor chose another method. */
export const runNames = ["none", "value", "chosen"] as const;
export type RunName = (typeof runNames)[number];

export const stepCount = 600;

/** One run step by step. Loss and norm are null where they were not finite. */
export interface History {
  loss: (number | null)[];
  norm: (number | null)[];
  clipped: boolean[];
  explodedAt?: number;
  /** The share of held-out digits that it read right, now and then. */
  exams: { step: number; accuracy: number }[];
  guesses?: number[];
}

export type Histories = Record<RunName, History>;

/** What the worker reads of a run: the steps since its last reading, and an exam after them if it was time for one. */
export interface Reading extends Steps {
  run: RunName;
  exam?: { accuracy: number; guesses: number[] };
}

export function emptyHistories(): Histories {
  const empty = (): History => ({ loss: [], norm: [], clipped: [], exams: [] });
  return { none: empty(), value: empty(), chosen: empty() };
}

/** A network has exploded when its gradients or its loss are not finite. Plain descent never recovers from that: no later step counts. */
export function note(histories: Histories, { run, losses, norms, clipped, exam }: Reading): void {
  const history = histories[run];
  for (const [index, loss] of losses.entries()) {
    if (history.explodedAt) return;
    const norm = norms[index] ?? Number.NaN;
    history.loss.push(finite(loss));
    history.norm.push(finite(norm));
    history.clipped.push(clipped[index] ?? false);
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) history.explodedAt = history.loss.length;
  }
  if (!exam) return;
  history.exams.push({ step: history.loss.length, accuracy: exam.accuracy });
  history.guesses = exam.guesses;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
