// The builds of gradclip/webgpu and gradclip/cpu leave the other half empty: what comes from there is undefined.
import {
  examplesOnCpu,
  groupsOnCpu,
  jointOnCpu,
  measuringOnCpu,
  unitsOnCpu,
  valuesOnCpu,
} from "../cpu/methodPasses.ts";
import {
  adaptiveUnitsOnGpu,
  examplesOnGpu,
  groupsOnGpu,
  jointOnGpu,
  measuringOnGpu,
  unitsOnGpu,
  valuesOnGpu,
} from "../webgpu/methodPasses.ts";
import type { Passes } from "./method.ts";

/** One norm over all gradients. */
export const jointPasses: Passes = { webgpu: jointOnGpu, cpu: jointOnCpu };

export const measuringPasses: Passes = { webgpu: measuringOnGpu, cpu: measuringOnCpu };

/** A norm for each tensor or member. */
export const groupPasses: Passes = { webgpu: groupsOnGpu, cpu: groupsOnCpu };

/** A norm for each unit along axes. */
export const unitPasses: Passes = { webgpu: unitsOnGpu, cpu: unitsOnCpu };

/** The same, and one for each unit of the parameters. */
export const adaptiveUnitPasses: Passes = { webgpu: adaptiveUnitsOnGpu, cpu: unitsOnCpu };

export const valuePasses: Passes = { webgpu: valuesOnGpu, cpu: valuesOnCpu };

export const examplePasses: Passes = { webgpu: examplesOnGpu, cpu: examplesOnCpu };
