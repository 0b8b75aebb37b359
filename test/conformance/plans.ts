/** Plans that the device does not call for. */
import { gridTable } from "../../src/webgpu/grid.ts";
import { runUnits } from "./suite.ts";
import type { Case, DependsOn, ForcedPlan, Unit } from "./types.ts";

/** These units as a device of another kind plans them. */
export function planned(
  name: string,
  plan: ForcedPlan,
  units: () => readonly Unit[],
  dependsOn: DependsOn = "plan",
): Case {
  return {
    name,
    dependsOn,
    gpuScript: async (harness) => {
      harness.force(plan);
      await runUnits(units(), harness);
    },
  };
}

/** A grid of one workgroup, but for the lanes that decide. */
export const ONE_WORKGROUP: ForcedPlan = {
  grid: { lanes: 64, minTiles: 1, normWorkgroups: 1, scaleWorkgroups: 1, finishLanes: 256 },
};

/** llvmpipe runs its own row in every case; elsewhere one case of the plans forces that one, for each kernel costs seconds to compile. */
const ROWS = Object.entries(gridTable).filter(([row]) => row !== "llvmpipe");

/** Of each compiler one engine runs the row of its own adapter. */
export function onEveryGrid(units: () => readonly Unit[]): Case[] {
  return ROWS.map(([row, grid]) => {
    const dependsOn = row === "software" ? "compiler" : "plan";
    return planned(`the grid of ${row} devices`, { grid }, units, dependsOn);
  });
}
