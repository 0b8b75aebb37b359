import { NAN_SEEN } from "../record.ts";
import type { Search } from "./methodPasses.ts";
import { type Found, regrouped } from "./norm.ts";

/** What a skip rule judges: everything but the groups that are only measured. */
export function judgedOnCpu({ each, all, parameters }: Search, unjudged: readonly number[]): Found {
  const part = [...each.keys()].map((group) => Number(unjudged.includes(group)));
  const judged = unjudged.length > 0 ? (regrouped(each, 2, part)[0] as Found) : all;
  // A parameter that is not finite makes the step so.
  const isFaulty = parameters.some(({ flags }) => flags !== 0);
  return isFaulty ? { ...judged, flags: judged.flags | NAN_SEEN } : judged;
}
