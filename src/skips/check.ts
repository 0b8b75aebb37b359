import { isPlain, readOptions, shown } from "../check.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { SkipRule } from "./skip.ts";

const KEYS = Object.keys({ name: 0, wgsl: 0, texts: 0, groupPass: 0, loss: 0, begin: 0 } satisfies Record<
  keyof SkipRule,
  0
>);

/** Refuses what is no skip rule, and methods whose steps cannot be left out as a whole. */
export function checkSkip(value: unknown, { name, limits, examples, grouping }: ClipMethod): SkipRule {
  if (!isPlain(value) || typeof (value as Partial<SkipRule>).wgsl !== "string") {
    throw new TypeError(`options.skip is ${shown(value)}; pass what skipAbove(100) or skipSpikes() returns.`);
  }
  const rule = readOptions(value, "options.skip", KEYS as (keyof SkipRule)[]) as unknown as SkipRule;
  const why = limits
    ? "it takes no norm"
    : examples
      ? "a skip that depends on the data breaks the accounting of privacy"
      : grouping.kind === "members"
        ? "its members are networks of their own"
        : undefined;
  if (why) throw new TypeError(`options.skip is ${rule.name}, but ${name} has no step to skip: ${why}; leave it out.`);
  return rule;
}
