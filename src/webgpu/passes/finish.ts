import kernel from "../../../shaders/finish.wgsl?raw";
import record from "../../../shaders/shared/record.wgsl?raw";
import type { ClipMethod } from "../../methods/method.ts";
import { globalRule } from "../../rules/global.ts";
import { READ } from "../layouts.ts";
import { decidingText, decidingValues, settingsBinding, sourceBindings } from "./decide.ts";
import type { Dispatch, Pass, Planning } from "./pass.ts";

/** One workgroup folds the partials of all gradients, decides, and writes the record. */
export const finish: Pass = { plan: planFinish };

/** A step without any gradient enters no memory. */
function methodOf({ method, options, tensors }: Planning): ClipMethod {
  const isEmpty = tensors.length === 0 && options.totalNorm === undefined;
  return isEmpty && "begin" in method.rule ? { ...method, rule: globalRule } : method;
}

function planFinish(planning: Planning): Dispatch[] {
  const method = methodOf(planning);
  const { limits } = planning;
  const { finishLanes: lanes, normWorkgroups } = limits.grid;
  // Other gradients of the same clip seldom need more partials.
  planning.partialCount = Math.max(planning.partialCount, normWorkgroups);
  return [
    {
      name: `finish ${method.norm.name} ${method.rule.name} by ${lanes}`,
      source: () => decidingText(kernel, { "shared/record": record }, method, lanes),
      bindings: [
        { type: READ, buffer: "partials" },
        { type: "storage", buffer: "record" },
        ...sourceBindings,
        settingsBinding(planning),
        ...("begin" in method.rule ? [{ type: "storage", buffer: "state" } as const] : []),
      ],
      values: decidingValues,
      workgroups: 1,
    },
  ];
}
