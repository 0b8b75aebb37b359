import kernel from "../../../shaders/finish.wgsl?raw";
import record from "../../../shaders/shared/record.wgsl?raw";
import { READ } from "../layouts.ts";
import { decidingText, decidingValues, settingsBinding, sourceBindings } from "./decide.ts";
import type { Dispatch, Pass, Planning } from "./pass.ts";

/** One workgroup folds the partials of all gradients, decides, and writes the record. */
export const finish: Pass = { plan: planFinish };

function planFinish(planning: Planning): Dispatch[] {
  const { method, limits } = planning;
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
