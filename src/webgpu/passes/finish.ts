import kernel from "../../../shaders/finish.wgsl?raw";
import record from "../../../shaders/shared/record.wgsl?raw";
import { remembersEach } from "../../rules/rule.ts";
import { READ } from "../layouts.ts";
import { decidingText, decidingValues, isJudgedInPart, settingsBinding, sourceBindings } from "./decide.ts";
import type { Dispatch, Pass, Planning } from "./pass.ts";

/** One workgroup folds the partials of all gradients, decides, and writes the record. */
export const finish: Pass = { plan: planFinish };

function planFinish(planning: Planning): Dispatch[] {
  const { method, limits, options } = planning;
  const { skip, history } = options;
  const each = remembersEach(method.rule);
  const { finishLanes: lanes, normWorkgroups } = limits.grid;
  // Other gradients of the same clip seldom need more partials.
  planning.partialCount = Math.max(planning.partialCount, normWorkgroups);
  return [
    {
      name: `finish ${[method.norm.name, method.rule.name, ...namesOf(planning)].join(" ")} by ${lanes}`,
      source: () => {
        const texts = { "shared/record": record, ...(skip && { skip: skip.wgsl, ...skip.texts }) };
        const conditions = {
          SKIPS: skip !== undefined,
          LOSS: !!skip?.loss,
          MEASURES: isJudgedInPart(planning),
          MEMORIES: each,
        };
        return decidingText(kernel, texts, method, lanes, conditions, history);
      },
      bindings: [
        { type: READ, buffer: "partials" },
        { type: "storage", buffer: "record" },
        ...sourceBindings,
        settingsBinding(planning),
        ...("begin" in method.rule || skip || history ? [{ type: "storage", buffer: "state" } as const] : []),
        ...(skip?.loss || each ? [{ type: READ, buffer: "loss" } as const] : []),
        ...(each ? [{ type: "storage", buffer: "entries" } as const] : []),
      ],
      values: decidingValues,
      workgroups: 1,
    },
  ];
}

function namesOf(planning: Planning): string[] {
  const { skip, history } = planning.options;
  const ofSkip = skip
    ? [skip.name, ...(skip.loss ? ["loss"] : []), ...(isJudgedInPart(planning) ? ["in part"] : [])]
    : [];
  return history ? [...ofSkip, `history of ${history}`] : ofSkip;
}
