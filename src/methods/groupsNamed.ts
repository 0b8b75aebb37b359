import { wrongValue } from "../check.ts";
import { refuseTwo } from "../overlaps.ts";
import type { FoundGroups, NamedGroups } from "../pieces.ts";
import type { Declared } from "../view.ts";

/** The name of those without a group, as they are reported. */
export const OTHERS = "others";

/** The groups that the gradients of prepare name, in the order of the list; those without a group are one more, the last. */
export function groupsFound(method: string): FoundGroups {
  return {
    kind: "found",
    among(declared) {
      const names = new Set(declared.map((tensor) => groupNameOf(tensor) ?? OTHERS));
      const isOthers = names.delete(OTHERS);
      return groupsNamed(method, isOthers ? [...names, OTHERS] : [...names], []);
    },
  };
}

/** Groups by the names of views; OTHERS has the gradients without one. `method` is for messages. */
export function groupsNamed(method: string, names: readonly string[], measured: readonly number[]): NamedGroups {
  const numbers = new Map(names.map((name, number) => [name, number]));
  const groupOf: NamedGroups["groupOf"] = (tensor) => {
    const { label } = tensor;
    const group = groupNameOf(tensor);
    const number = numbers.get(group ?? OTHERS);
    if (number !== undefined) return number;
    throw new RangeError(
      group === undefined
        ? `${label} has no group, and ${method} no bound for others; pass a view with its group, or options.others.`
        : `${label} has the group ${JSON.stringify(group)}, for which ${method} has no bound; pass one of ${names.map((name) => JSON.stringify(name)).join(", ")}.`,
    );
  };
  return {
    kind: "groups",
    count: names.length,
    measured,
    groupOf,
    check({ tensors, declared }) {
      declared.forEach(groupOf);
      refuseTwo(tensors, "group", ({ group = OTHERS }) => JSON.stringify(group));
    },
    report: ({ norms, scales, clipped }) =>
      Object.fromEntries(
        names.map((name, i) => [
          name,
          { norm: norms[i] as number, scale: scales[i] as number, clipped: clipped[i] as boolean },
        ]),
      ),
  };
}

function groupNameOf({ group, label }: Declared): string | undefined {
  if (group !== undefined && typeof group !== "string") {
    throw wrongValue(group, `${label}.group`, "a string");
  }
  if (group === OTHERS) {
    throw new RangeError(`${label}.group is "others", which stands for gradients without a group; leave it out.`);
  }
  return group;
}
