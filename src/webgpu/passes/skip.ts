import { remembersEach } from "../../rules/rule.ts";
import type { SkipRule } from "../../skips/skip.ts";
import { READ } from "../layouts.ts";
import type { Planning, SkipPasses } from "./pass.ts";
import { skipGroups } from "./skip_groups.ts";

/** What a skip rule adds: finish has the verdict on the step, and another pass gives it to groups with norms of their own. */
export const skipOnGpu: SkipPasses = { inFinish, groups: skipGroups };

function inFinish({ method, options, unjudged }: Planning): ReturnType<SkipPasses["inFinish"]> {
  const { name, wgsl, texts, loss } = options.skip as SkipRule;
  const isInPart = unjudged.length > 0;
  return {
    names: [name, ...(loss ? ["loss"] : []), ...(isInPart ? ["in part"] : [])],
    texts: { skip: wgsl, ...texts },
    conditions: { SKIPS: true, LOSS: loss !== undefined, IN_PART: isInPart },
    // Behind the entries, where finish has them.
    tokens: { LOSS_AT: remembersEach(method.rule) ? "7" : "6" },
    bindings: loss ? [{ type: READ, source: loss }] : [],
  };
}
