import type { ClipMethod } from "../methods/method.ts";
import type { PreparedArrays } from "./arrays.ts";
import { clamp } from "./clamp.ts";
import { type Found, norm, type Part } from "./norm.ts";
import { type Scaling, scale, scaleUnits } from "./scale.ts";
import { sumExamples } from "./sum_examples.ts";
import { unitNorm } from "./unit_norm.ts";

/** A method's work on arrays: `search` runs before the decision and `write` after it. */
export interface CpuPasses {
  readonly search: (arrays: PreparedArrays, method: ClipMethod, groupCount: number, gradScale: number) => Search;
  readonly write?: (arrays: PreparedArrays, scalings: readonly Scaling[], method: ClipMethod) => void;
}

/** The findings for each group, for all of them, and for the parameters of each. */
export interface Search {
  readonly each: readonly Found[];
  readonly all: Found;
  readonly parameters: readonly Found[];
}

/** @param unitNorm for methods with units. */
/*@__NO_SIDE_EFFECTS__*/
function searchBy(unitNorm?: Parameters<typeof norm>[3]): CpuPasses["search"] {
  return ({ parts, parameters }, method, groupCount) => {
    const found = (of: readonly Part[]) => norm(of, groupCount, method.norm, unitNorm);
    return { ...found(parts), parameters: found(parameters).each };
  };
}

const searchNorms = searchBy();

/** Searches and writes in one pass. */
const clampAll: CpuPasses["search"] = ({ writes }, { limits }, _, gradScale) => {
  const all = clamp(writes, limits ?? (() => [-Infinity, Infinity]), gradScale);
  return { each: [all], all, parameters: [] };
};

const writeScaled: CpuPasses["write"] = ({ writes }, scalings) => {
  for (const one of writes) scale(one, scalings[one.group] as Scaling);
};

const writeUnits: CpuPasses["write"] = ({ writes }, scalings) => {
  for (const one of writes) {
    if (one.units) scaleUnits(one, scalings.slice(one.group, one.group + one.units.count));
    else scale(one, scalings[one.group] as Scaling);
  }
};

export const jointOnCpu: CpuPasses = { search: searchNorms, write: writeScaled };
export const measuringOnCpu: CpuPasses = { search: searchNorms };
export const groupsOnCpu = jointOnCpu;
export const unitsOnCpu: CpuPasses = { search: searchBy(unitNorm), write: writeUnits };
export const valuesOnCpu: CpuPasses = { search: clampAll };
export const examplesOnCpu: CpuPasses = { search: searchNorms, write: sumExamples };
