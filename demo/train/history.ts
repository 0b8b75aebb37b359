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

/** The worker's report on a step of one run. */
export interface StepReport {
  run: RunName;
  loss: number;
  norm: number;
  clipped: boolean;
  accuracy?: number;
  guesses?: number[];
}

export function emptyHistories(): Histories {
  const empty = (): History => ({ loss: [], norm: [], clipped: [], exams: [] });
  return { none: empty(), value: empty(), chosen: empty() };
}

/** A network has exploded when its gradients or its loss are not finite. Plain descent never recovers from that. */
export function note(histories: Histories, { run, loss, norm, clipped, accuracy, guesses }: StepReport): void {
  const history = histories[run];
  history.loss.push(finite(loss));
  history.norm.push(finite(norm));
  history.clipped.push(clipped);
  const step = history.loss.length;
  if (accuracy !== undefined) {
    history.exams.push({ step, accuracy });
    history.guesses = guesses;
  }
  if (!Number.isFinite(loss) || !Number.isFinite(norm)) history.explodedAt ??= step;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
