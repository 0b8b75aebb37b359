import scales from "../../shaders/scales/unit.wgsl?raw";
import units from "../../shaders/shared/units.wgsl?raw";
import norm from "../../shaders/unit_norm.wgsl?raw";
import { scaleUnits } from "../cpu/scale.ts";
import { unitNorm } from "../cpu/unit_norm.ts";

/** What works along axes, for methods that do: the others carry no reference to it. */
export interface UnitKernels {
  readonly wgsl: { readonly units: string; readonly norm: string; readonly scales: string };
  /** The same on arrays. */
  readonly norm: typeof unitNorm;
  readonly scale: typeof scaleUnits;
}

export const unitKernels: UnitKernels = { wgsl: { units, norm, scales }, norm: unitNorm, scale: scaleUnits };
