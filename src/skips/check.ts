import type { ClipMethod } from "../methods/method.ts";

/** Refuses methods whose steps cannot be left out as a whole. */
export function refuseUnskippable(rule: string, { name, limits, examples, grouping }: ClipMethod): void {
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
