import { clamp } from "./passes/clamp.ts";
import { finish } from "./passes/finish.ts";
import { finishGroups } from "./passes/finish_groups.ts";
import { norm, parameterNorm } from "./passes/norm.ts";
import { groupScale, scale } from "./passes/scale.ts";
import { sumExamples } from "./passes/sum_examples.ts";
import { unitNorm, unitParameterNorm } from "./passes/unit_norm.ts";
import { unitScale } from "./passes/unit_scale.ts";

export const jointOnGpu = [norm, finish, scale];
export const measuringOnGpu = [norm, finish];
export const groupsOnGpu = [norm, finishGroups, finish, groupScale];
export const unitsOnGpu = [norm, unitNorm, finishGroups, finish, unitScale];
export const adaptiveUnitsOnGpu = [norm, unitNorm, parameterNorm, unitParameterNorm, finishGroups, finish, unitScale];
export const valuesOnGpu = [clamp, finish];
export const examplesOnGpu = [norm, finishGroups, finish, sumExamples];
