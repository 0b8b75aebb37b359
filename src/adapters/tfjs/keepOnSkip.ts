import type { Optimizer, Tensor, Variable } from "@tensorflow/tfjs-core";
import { SKIP } from "../../record.ts";
import type { Gradient, TensorFlow } from "./gradients.ts";

/** What a step decided: the record's flags where the host has them, else whether it is skipped, as a scalar on the device. */
export type Verdict = number | Tensor;

/**
 * Weights and moments of the optimizers as they are now. `settle` puts them back, to the bit, if the step that came since was
 * skipped: it selects on the device and reads nothing. `free` lets go of the old values.
 *
 * A clone of a variable is a handle: TensorFlow.js assigns new values by giving the variable other data. So this copies nothing,
 * but old and new values of all of them are in memory until the selection.
 */
export function keepOf(tf: TensorFlow, optimizers: readonly Optimizer[], gradients: readonly Gradient[]) {
  const weights = gradients.flatMap(({ variable, tensor }) => (variable && tensor ? [variable] : []));
  const kept = new Map<Variable, Tensor>();
  for (const variable of [...weights, ...optimizers.flatMap((optimizer) => slotsOf(tf, optimizer))]) {
    if (!kept.has(variable)) kept.set(variable, variable.clone());
  }
  const settleOne = (variable: Variable, before: Tensor, verdict: Verdict) => {
    if (typeof verdict === "number") return void variable.assign(before);
    const chosen = selected(tf, verdict, before, variable);
    variable.assign(chosen);
    chosen.dispose();
  };
  return {
    settle(verdict: Verdict): void {
      if (typeof verdict === "number" && (verdict & SKIP) === 0) return;
      for (const optimizer of optimizers) {
        for (const slot of slotsOf(tf, optimizer)) if (!kept.has(slot)) kept.set(slot, initialOf(tf, optimizer, slot));
      }
      for (const [variable, before] of kept) settleOne(variable, before, verdict);
    },
    free(): void {
      for (const before of kept.values()) before.dispose();
    },
  };
}

/** The variables that an optimizer keeps: by themselves, or in lists as TensorFlow.js has them. */
function slotsOf(tf: TensorFlow, optimizer: Optimizer): Variable[] {
  const isVariable = (value: unknown): value is Variable => value instanceof tf.Variable;
  return Object.values(optimizer).flatMap((value: unknown) => {
    const list: unknown[] = Array.isArray(value) ? value : [value];
    return list.flatMap((entry) => {
      const variable = (entry as { variable?: unknown } | null | undefined)?.variable;
      return [entry, variable].filter(isVariable);
    });
  });
}

/** What a slot had that the skipped step itself has made. */
function initialOf(tf: TensorFlow, optimizer: Optimizer, { shape }: Variable): Tensor {
  const { initialAccumulatorValue = 0 } = optimizer as unknown as { initialAccumulatorValue?: number };
  return tf.fill(shape, initialAccumulatorValue);
}

/** By selection: a NaN times 0 is a NaN. `tf.where` would tile the condition; the kernel takes a scalar from rank 2 on. */
function selected(tf: TensorFlow, condition: Tensor, before: Tensor, after: Tensor): Tensor {
  const shape = before.shape.length > 1 ? before.shape : [1, before.size];
  return tf.tidy(() => {
    const inputs = { condition, t: tf.reshape(before, shape), e: tf.reshape(after, shape) };
    return tf.reshape(tf.engine().runKernel("Select", inputs) as Tensor, before.shape);
  });
}
