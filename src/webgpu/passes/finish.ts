import kernel from "../../../shaders/finish.wgsl?raw";
import record from "../../../shaders/shared/record.wgsl?raw";
import type { CheckedOptions } from "../../options.ts";
import { READ } from "../layouts.ts";
import { decidingText, decidingValues, settingsBinding, sourceBindings } from "./decide.ts";
import type { Dispatch, Pass, Planning } from "./pass.ts";

/** One workgroup folds the partials of all gradients, decides, and writes the record. */
export const finish: Pass = { plan: planFinish };

function planFinish(planning: Planning): Dispatch[] {
  const { method, limits, options } = planning;
  const { skip, history } = options;
  const { finishLanes: lanes, normWorkgroups } = limits.grid;
  // Other gradients of the same clip seldom need more partials.
  planning.partialCount = Math.max(planning.partialCount, normWorkgroups);
  return [
    {
      name: `finish ${[method.norm.name, method.rule.name, ...namesOf(options)].join(" ")} by ${lanes}`,
      source: () => decidingText(kernel, { "shared/record": record }, method, lanes, options),
      bindings: [
        { type: READ, buffer: "partials" },
        { type: "storage", buffer: "record" },
        ...sourceBindings,
        settingsBinding(planning),
        ...("begin" in method.rule || skip || history ? [{ type: "storage", buffer: "state" } as const] : []),
        ...(skip?.loss ? [{ type: READ, buffer: "loss" } as const] : []),
      ],
      values: decidingValues,
      workgroups: 1,
    },
  ];
}

function namesOf({ skip, history }: CheckedOptions): string[] {
  const ofSkip = skip ? [skip.name, ...(skip.loss ? ["loss"] : [])] : [];
  return history ? [...ofSkip, `history of ${history}`] : ofSkip;
}
