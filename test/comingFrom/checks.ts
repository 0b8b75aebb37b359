import type { Gradients } from "../../src/index.ts";
import { type Outcome, written } from "./page.ts";
import { arrays, type Step, valuesOf } from "./run.ts";

/** How a row of a table is checked, found by the row's first cell. */
export interface Check {
  readonly gradients: () => Gradients;
  /** What the other system gives: figures by its formula, in the words of the page. */
  readonly theirs: Outcome;
  /** The same for what our line has done; it leaves the gradients, unless told otherwise. */
  readonly ours?: (step: Step) => Outcome | Promise<Outcome>;
}

/** Words of the page with figures in them. */
export function tell(words: TemplateStringsArray, ...figures: Outcome[]): string {
  return words.map((part, i) => part + (i < figures.length ? written(figures[i] as Outcome) : "")).join("");
}

/** Fresh float32 arrays for each run. */
export function of(...gradients: (readonly number[])[]): () => Float32Array[] {
  return () => arrays(...gradients);
}

/** The first gradient, where our line has left it. */
export function first({ gradients }: Step): readonly number[] {
  return valuesOf(gradients)[0] as number[];
}

export const norm = ({ report }: Step): number => report.norm;

/** A null entry changes neither the norm nor the gradients beside it. */
export const leftOut = {
  gradients: () => ({ missing: null, given: Float32Array.of(3, 4) }),
  theirs: "left out",
  ours: ({ report, gradients }: Step) => {
    const [values = []] = valuesOf(gradients);
    return report.norm === 5 && Math.abs(Math.hypot(...values) - 1) < 1e-6 ? "left out" : tell`${values}`;
  },
};
