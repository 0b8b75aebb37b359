/** Plans that the device does not call for. */
import { runUnits } from "./suite.ts";
import type { Case, ForcedPlan, Unit } from "./types.ts";

/** These units as a device of another kind plans them: which dispatches follow is the same in every engine. */
export function planned(name: string, plan: ForcedPlan, units: () => readonly Unit[]): Case {
  return {
    name,
    dependsOn: "compiler",
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
