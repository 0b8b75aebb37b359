import { clamp } from "./passes/clamp.ts";
import { finish } from "./passes/finish.ts";
import { finishGroups } from "./passes/finish_groups.ts";
import { norm, parameterNorm } from "./passes/norm.ts";
import { groupScale, scale } from "./passes/scale.ts";
import { sumExamples } from "./passes/sum_examples.ts";
import { unitNorm, unitParameterNorm } from "./passes/unit_norm.ts";
import { unitScale } from "./passes/unit_scale.ts";

export const jointOnGpu = { search: [norm, finishGroups, finish], write: [scale] };
export const measuringOnGpu = { search: [norm, finishGroups, finish], write: [] };
export const groupsOnGpu = { search: [norm, finishGroups, finish], write: [groupScale] };
export const unitsOnGpu = { search: [norm, unitNorm, finishGroups, finish], write: [unitScale] };
export const adaptiveUnitsOnGpu = {
  search: [norm, unitNorm, parameterNorm, unitParameterNorm, finishGroups, finish],
  write: [unitScale],
};
export const valuesOnGpu = { search: [clamp, finish], write: [] };
export const examplesOnGpu = { search: [norm, finishGroups, finish], write: [sumExamples] };
