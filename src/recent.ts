/** What was made for the keys that came last: a bounded least-recently-used cache. */
export class Recent<T> {
  readonly #most: number;
  readonly #kept = new Map<string, T>();

  constructor(most: number) {
    this.#most = most;
  }

  /** What is kept for a key, or is made now; nothing is kept without one. */
  get(key: string | undefined, make: () => T): T {
    if (key === undefined) return make();
    const found = this.#kept.get(key) ?? make();
    this.#kept.delete(key);
    this.#kept.set(key, found);
    if (this.#kept.size > this.#most) this.#kept.delete(this.#kept.keys().next().value as string);
    return found;
  }

  values(): Iterable<T> {
    return this.#kept.values();
  }
}
