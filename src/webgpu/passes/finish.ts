import kernel from "../../../shaders/finish.wgsl?raw";
import record from "../../../shaders/shared/record.wgsl?raw";
import type { SkipRule } from "../../skips/skip.ts";
import { READ } from "../layouts.ts";
import { decidingText, decidingValues, settingsBinding, sourceBindings } from "./decide.ts";
import type { Dispatch, Pass, Planning } from "./pass.ts";

/** One workgroup folds the partials of all gradients, decides, and writes the record. */
export const finish: Pass = { plan: planFinish };

function planFinish(planning: Planning): Dispatch[] {
  const { method, limits, options } = planning;
  const { skip } = options;
  const { finishLanes: lanes, normWorkgroups } = limits.grid;
  // Other gradients of the same clip seldom need more partials.
  planning.partialCount = Math.max(planning.partialCount, normWorkgroups);
  return [
    {
      name: `finish ${[method.norm.name, method.rule.name, ...nameOfSkip(skip)].join(" ")} by ${lanes}`,
      source: () => decidingText(kernel, { "shared/record": record }, method, lanes, skip),
      bindings: [
        { type: READ, buffer: "partials" },
        { type: "storage", buffer: "record" },
        ...sourceBindings,
        settingsBinding(planning),
        ...("begin" in method.rule || skip ? [{ type: "storage", buffer: "state" } as const] : []),
        ...(skip?.loss ? [{ type: READ, buffer: "loss" } as const] : []),
      ],
      values: decidingValues,
      workgroups: 1,
    },
  ];
}

function nameOfSkip(skip: SkipRule | undefined): string[] {
  if (!skip) return [];
  return skip.loss ? [skip.name, "loss"] : [skip.name];
}
