import { expect } from "vitest";

/** Objects that count the reads of their properties. */
export function structuredReads() {
  const reads = new Map<string, number>();

  /** The same, counted: an index of a list, or a property that is its own. */
  function counted<T extends object>(name: string, target: T): T {
    return new Proxy(target, {
      get(object, key) {
        if (typeof key === "string" && key !== "length" && Object.hasOwn(object, key)) {
          const path = `${name}.${key}`;
          reads.set(path, (reads.get(path) ?? 0) + 1);
        }
        return Reflect.get(object, key);
      },
    });
  }

  /** Runs a call that must read each counted property exactly once. */
  function expectOnce<T>(act: () => T): T {
    reads.clear();
    const result = act();
    const more = [...reads].filter(([, count]) => count !== 1);
    expect(more, "read more than once").toEqual([]);
    expect(reads.size, "properties that were read").toBeGreaterThan(0);
    return result;
  }

  return { counted, expectOnce };
}
