/** A bounded least-recently-used cache. */
export class Recent<T> {
  readonly #most: number;
  readonly #drop: (value: T) => void;
  readonly #kept = new Map<string, T>();

  /** @param drop gets each value that leaves the cache. */
  constructor(most: number, drop: (value: T) => void = () => {}) {
    this.#most = most;
    this.#drop = drop;
  }

  /** The key's value, made now if there is none. Without a key the value is not kept. */
  get(key: string | undefined, make: () => T): T {
    if (key === undefined) return make();
    const found = this.#kept.get(key) ?? make();
    this.#kept.delete(key);
    this.#kept.set(key, found);
    if (this.#kept.size > this.#most) {
      const [oldest, dropped] = this.#kept.entries().next().value as [string, T];
      this.#kept.delete(oldest);
      this.#drop(dropped);
    }
    return found;
  }

  values(): Iterable<T> {
    return this.#kept.values();
  }
}
