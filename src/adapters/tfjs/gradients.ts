import type * as core from "@tensorflow/tfjs-core";
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { wrongValue } from "../../check.ts";
import type { ClipMethod } from "../../methods/method.ts";
import { refuseOtherDtype } from "../clips.ts";

/** What is used of TensorFlow.js: `tf` of the page, or the package. */
export type TensorFlow = Pick<
  typeof core,
  | ("Tensor" | "Variable" | "backend" | "cast" | "engine" | "env" | "fill" | "floorDiv" | "getBackend" | "mod" | "mul")
  | ("reshape" | "scalar" | "slice" | "tensor" | "tidy")
>;

/** Gradients as `applyGradients` takes them: by name, or in a list. A variable that the loss does not reach has no tensor. */
export type Gradients =
  | { name: string; tensor?: Tensor | null }[]
  | Readonly<Record<string, Tensor | null | undefined>>;

export interface Gradient {
  readonly name: string;
  readonly tensor?: Tensor | null;
  /** The variable of that name, if there is one. */
  readonly variable?: Variable;
}

/** @throws TypeError for a gradient that is not a float32 tensor, or not there any more. */
export function readGradients(tf: TensorFlow, given: Gradients): Gradient[] {
  const list = Array.isArray(given) ? given : Object.keys(given).map((name) => ({ name, tensor: given[name] }));
  const variables = tf.engine().registeredVariables;
  return list.map(({ name, tensor }) => {
    refuseOther(tf, name, tensor);
    return { name, tensor, variable: variables[name] };
  });
}

function refuseOther(tf: TensorFlow, name: string, tensor: Tensor | null | undefined): void {
  if (tensor === null || tensor === undefined) return;
  const label = `The gradient ${JSON.stringify(name)}`;
  if (!(tensor instanceof tf.Tensor)) {
    throw wrongValue(tensor, label, "a tensor of TensorFlow.js");
  }
  if (tensor.isDisposed) throw new TypeError(`${label} is disposed; clip it before that.`);
  refuseOtherDtype(tensor.dtype, label);
}

/** For a method that compares each gradient with its parameter. */
export function refuseWithoutVariable({ name, tensor, variable }: Gradient, { name: method }: ClipMethod): void {
  if (variable) refuseOtherDtype(variable.dtype, `The variable ${JSON.stringify(name)}`);
  if (!tensor || variable?.size === tensor.size) return;
  const found = variable ? `its variable has shape [${variable.shape}]` : "there is no variable of that name";
  throw new TypeError(
    `The gradient ${JSON.stringify(name)} has shape [${tensor.shape}], but ${found}; ${method} needs the variable that a gradient is of.`,
  );
}

/** The shape that a gradient has, or would have. */
export function shapeOf({ tensor, variable }: Gradient): readonly number[] | undefined {
  return tensor?.shape ?? variable?.shape;
}
