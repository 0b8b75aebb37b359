import judge from "../../shaders/shared/judge.wgsl?raw";
import { judgedOnCpu } from "../cpu/skip.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { Grouping } from "../pieces.ts";
import type { Remembered } from "../remembered.ts";
import { type Declared, isPresent } from "../view.ts";
import { skipOnGpu } from "../webgpu/passes/skip.ts";
import { JointMemory } from "./memory.ts";
import type { SkipRule } from "./skip.ts";

/** What a skip rule has of its own. */
interface Own extends Pick<SkipRule, "name" | "wgsl" | "texts" | "loss"> {
  /** Refuses gradients that it cannot judge where they are. */
  readonly check?: (where: "webgpu" | "cpu") => void;
  readonly begin: () => { readonly memory: Remembered; readonly isSpike: (norm: number) => boolean };
}

export function skipRule({ check, begin, texts, ...own }: Own): SkipRule {
  return {
    ...own,
    texts: { "shared/judge": judge, ...texts },
    passes: { webgpu: skipOnGpu, cpu: judgedOnCpu },
    check(method, where) {
      refuseUnskippable(own.name, method);
      check?.(where);
    },
    unjudged,
    begin(ofRule) {
      const { memory, isSpike } = begin();
      return { memory: new JointMemory([...(ofRule ? [ofRule] : []), memory]), isSpike };
    },
  };
}

/** Refuses methods whose steps cannot be left out as a whole. */
function refuseUnskippable(rule: string, { name, limits, examples, grouping }: ClipMethod): void {
  const why = limits
    ? "it takes no norm"
    : examples
      ? "a skip that depends on the data breaks the accounting of privacy"
      : grouping.kind === "members"
        ? "its members are networks of their own"
        : grouping.kind === "groups" && grouping.count > 0 && grouping.measured.length === grouping.count
          ? "every bound is Infinity"
          : undefined;
  if (why) throw new TypeError(`options.skip is ${rule}, but ${name} has no step to skip: ${why}; leave it out.`);
}

/** Groups that are measured and not scaled are not judged. */
function unjudged(declared: readonly Declared[], grouping: Grouping): readonly number[] | undefined {
  const present = declared.filter(isPresent);
  if (grouping.kind !== "groups") return present.length > 0 ? [] : undefined;
  const { groupOf, measured } = grouping;
  return present.every((tensor) => measured.includes(groupOf(tensor))) ? undefined : measured;
}
