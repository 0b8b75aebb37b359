import entry from "../../../shaders/shared/entry.wgsl?raw";
import record from "../../../shaders/shared/record.wgsl?raw";
import kernel from "../../../shaders/skip_groups.wgsl?raw";
import { remembersEach } from "../../rules/rule.ts";
import { resolved } from "../template.ts";
import type { Pass } from "./pass.ts";
import { lanesToken } from "./texts.ts";

const LANES = 64;
const MOST_WORKGROUPS = 1024;

/** Gives every group the verdict on the whole step, where the groups have norms of their own. Where each is remembered, finish does. */
export const skipGroups: Pass = ({ groupCount, method }) =>
  groupCount === 0 || remembersEach(method.rule)
    ? []
    : [
        {
          name: `skip groups by ${LANES}`,
          source: () =>
            resolved(kernel, {
              texts: { "shared/entry": entry, "shared/record": record },
              tokens: lanesToken(LANES),
            }),
          bindings: [
            { type: "uniform", buffer: "record" },
            { type: "storage", buffer: "entries" },
          ],
          workgroups: Math.min(MOST_WORKGROUPS, Math.ceil(groupCount / LANES)),
        },
      ];
