import { clampAll, searchNorms, searchUnits, sumAll, writeScaled, writeUnits } from "../cpu/passes.ts";
import { clamp } from "../webgpu/passes/clamp.ts";
import { finish } from "../webgpu/passes/finish.ts";
import { finishGroups } from "../webgpu/passes/finish_groups.ts";
import { norm, parameterNorm } from "../webgpu/passes/norm.ts";
import { groupScale, scale } from "../webgpu/passes/scale.ts";
import { sumExamples } from "../webgpu/passes/sum_examples.ts";
import { unitNorm, unitParameterNorm } from "../webgpu/passes/unit_norm.ts";
import { unitScale } from "../webgpu/passes/unit_scale.ts";
import type { Passes } from "./method.ts";

/** One norm over all gradients. */
export const jointPasses: Passes = {
  webgpu: { search: [norm, finish], write: [scale] },
  cpu: { search: searchNorms, write: writeScaled },
};

export const measuringPasses: Passes = { webgpu: { search: [norm, finish], write: [] }, cpu: { search: searchNorms } };

/** A norm for each tensor or member. */
export const groupPasses: Passes = {
  webgpu: { search: [norm, finishGroups, finish], write: [groupScale] },
  cpu: { search: searchNorms, write: writeScaled },
};

/** A norm for each unit along axes. */
export const unitPasses: Passes = {
  webgpu: { search: [norm, unitNorm, finishGroups, finish], write: [unitScale] },
  cpu: { search: searchUnits, write: writeUnits },
};

/** The same, and one for each unit of the parameters. */
export const adaptiveUnitPasses: Passes = {
  webgpu: { search: [norm, unitNorm, parameterNorm, unitParameterNorm, finishGroups, finish], write: [unitScale] },
  cpu: { search: searchUnits, write: writeUnits },
};

export const valuePasses: Passes = { webgpu: { search: [clamp, finish], write: [] }, cpu: { search: clampAll } };

export const examplePasses: Passes = {
  webgpu: { search: [norm, finishGroups, finish], write: [sumExamples] },
  cpu: { search: searchNorms, write: sumAll },
};
