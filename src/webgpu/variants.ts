import type { Clamp, ClipMethod, ExampleSum } from "../methods/method.ts";
import type { UnitKernels } from "../methods/unitKernels.ts";
import type { DeviceContext } from "./device.ts";
import {
  clampSource,
  finishGroupsSource,
  finishSource,
  normSource,
  scaleSource,
  sumSource,
  unitNormSource,
  withLanes,
} from "./kernels.ts";
import { type BindingType, capacityOf, layoutOf, READ, slotTypes } from "./layouts.ts";
import type { Kernel } from "./pipelines.ts";
import type { Dispatch, Pass } from "./plan.ts";
import { UNIT_LANES } from "./unitShapes.ts";

/** The values of a step: those of maxNorm, then those of gradScale. */
export const VALUE_TYPES = Array<BindingType>(8).fill("bytes");

/** Group 1 of a pass over gradients: its table, what it writes or where the scales are, then what only it has. */
export function tableTypes({ grouping }: ClipMethod, pass: Pass): BindingType[] {
  const units: BindingType[] = grouping.kind === "units" ? ["uniform"] : [];
  const types: Record<Pass, BindingType[]> = {
    norm: ["uniform", "storage"],
    "unit norm": ["uniform", "storage", ...units],
    clamp: ["uniform", "storage", READ, "bytes", "bytes", "bytes", "bytes"],
    scale: grouping.kind === "all" ? ["uniform", "uniform"] : ["uniform", READ, ...units],
    "sum examples": ["uniform", READ],
  };
  return types[pass];
}

/** The kernel of a dispatch. Its name says all that its text depends on. */
export function kernelFor(context: DeviceContext, method: ClipMethod, dispatch: Dispatch): Kernel {
  const { pass, format, target } = dispatch;
  const { norm, grouping, clamp, sum } = method;
  const { slots, pairSlots } = capacityOf(context, pass);
  const count = target === "in-place" ? slots : pairSlots;
  const sources: Record<Pass, () => string> = {
    norm: () => normSource(format, norm, count),
    "unit norm": () => unitNormSource(format, norm, (grouping as { kernels: UnitKernels }).kernels, count),
    clamp: () => clampSource(format, target, (clamp as Clamp).wgsl, count),
    scale: () => scaleSource(format, target, method, count),
    "sum examples": () => sumSource(format, target, (sum as ExampleSum).wgsl, count),
  };
  const isNorm = pass === "norm" || pass === "unit norm";
  const lanes = pass === "unit norm" ? UNIT_LANES : context.grid.lanes;
  const scales = { all: "", tensor: " groups", members: " groups", units: " units" }[grouping.kind];
  const variant = isNorm ? ` ${norm.name}` : `${pass === "scale" ? scales : ""} ${target}`;
  return {
    name: `${pass}${variant} ${format.dtype} ${format.word} by ${lanes}`,
    source: () => withLanes(sources[pass](), lanes),
    layouts: [layoutOf(context, slotTypes(context, pass, target)), layoutOf(context, tableTypes(method, pass))],
  };
}

/** partials, record, gradScale and totalNorm in buffers, settings, and a memory. */
export function finishTypes({ rule }: ClipMethod): BindingType[] {
  return [READ, "storage", READ, READ, "uniform", ...("begin" in rule ? (["storage"] as const) : [])];
}

/** partials, entries, gradScale in a buffer, an unused one, settings, bundles. */
export const FINISH_GROUPS_TYPES: readonly BindingType[] = ["storage", "storage", READ, READ, "uniform", READ];

export function finishKernel(context: DeviceContext, method: ClipMethod): Kernel {
  const { lanes } = context.grid;
  return {
    name: `finish ${method.norm.name} ${method.rule.name} by ${lanes}`,
    source: () => withLanes(finishSource(method), lanes),
    layouts: [layoutOf(context, finishTypes(method)), layoutOf(context, VALUE_TYPES)],
  };
}

export function finishGroupsKernel(context: DeviceContext, method: ClipMethod): Kernel {
  return {
    name: `finish groups ${method.norm.name} ${method.rule.name}`,
    source: () => finishGroupsSource(method),
    layouts: [layoutOf(context, FINISH_GROUPS_TYPES), layoutOf(context, VALUE_TYPES)],
  };
}
