import kernel from "../../../shaders/finish.wgsl?raw";
import record from "../../../shaders/shared/record.wgsl?raw";
import { globalRule } from "../../rules/global.ts";
import { remembersEach } from "../../rules/rule.ts";
import { READ } from "../layouts.ts";
import { decidingBindings, decidingText } from "./decide.ts";
import type { Binding, Dispatch, Planning, SkipPasses } from "./pass.ts";

/** One workgroup folds the partials of all gradients, decides, and writes the record. */
export function finish(planning: Planning): Dispatch[] {
  const { limits, options } = planning;
  const { history } = options;
  const skip = (options.skip?.passes.webgpu as SkipPasses | undefined)?.inFinish(planning);
  const isEach = remembersEach(planning.method.rule);
  // Of several norms finish_groups has decided the scales: what any rule makes of all of them together is not used.
  const isDecided = planning.groupCount > 0 && !isEach;
  const method = isDecided ? { ...planning.method, rule: globalRule } : planning.method;
  const hasState = "begin" in method.rule || skip !== undefined || history !== undefined;
  const { finishLanes: lanes, normWorkgroups } = limits.grid;
  // Other gradients of the same clip seldom need more partials.
  planning.partialCount = Math.max(planning.partialCount, normWorkgroups);
  const stored = (buffer: "state" | "entries", isBound: boolean): Binding[] =>
    isBound ? [{ type: "storage", buffer }] : [];
  const named = [method.norm.name, method.rule.name, ...(skip?.names ?? [])];
  return [
    {
      name: `finish ${named.join(" ")}${history ? " history" : ""} by ${lanes}`,
      source: () =>
        decidingText(kernel, method, lanes, {
          texts: { "shared/record": record, ...skip?.texts },
          conditions: { STATE: hasState, HISTORY: history !== undefined, MEMORIES: isEach, ...skip?.conditions },
          tokens: skip?.tokens,
        }),
      bindings: [
        { type: READ, buffer: "partials" },
        { type: "storage", buffer: "record" },
        ...decidingBindings(planning),
        ...stored("state", hasState),
        ...stored("entries", isEach),
        ...(skip?.bindings ?? []),
      ],
      valuesFrom: 0,
      workgroups: 1,
    },
  ];
}
