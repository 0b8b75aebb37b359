import { globalRule } from "./globalRule.ts";
import type { ClipMethod } from "./method.ts";

/** Changes no gradient: the joint L2 norm, sqrt(sum of all squares), goes to the record and the report. */
export function measureNorm(): ClipMethod {
  return { name: "measureNorm", rule: globalRule };
}
