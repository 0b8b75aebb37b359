import { MOST_GRADIENTS } from "./gradients.ts";

/** How many lists, or layouts, of so many gradients are kept: engines with pooled tensors reuse a few. Long ones would fill the memory. */
export function keptOf(gradients: number): number {
  return Math.min(32, Math.ceil((2 * MOST_GRADIENTS) / gradients));
}

/** A bounded least-recently-used cache. Its keys are lists, and compared word by word. */
export class Recent<T> {
  readonly #most: number;
  readonly #drop: (value: T) => void;
  /** What was used last comes first. */
  readonly #kept: { readonly key: readonly unknown[]; readonly value: T }[] = [];

  /** @param drop gets each value that leaves the cache. */
  constructor(most: number, drop: (value: T) => void = () => {}) {
    this.#most = most;
    this.#drop = drop;
  }

  /** The key's value, made now if there is none. */
  get(key: readonly unknown[], make: () => T): T {
    const at = this.#kept.findIndex(
      (kept) => kept.key.length === key.length && kept.key.every((word, i) => word === key[i]),
    );
    const [entry = { key, value: make() }] = at < 0 ? [] : this.#kept.splice(at, 1);
    this.#kept.unshift(entry);
    if (this.#kept.length > this.#most) this.#drop((this.#kept.pop() as { value: T }).value);
    return entry.value;
  }

  values(): T[] {
    return this.#kept.map(({ value }) => value);
  }
}
