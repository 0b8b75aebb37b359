/** Engines with pooled tensors reuse a few lists of buffers. */
const MOST_KEPT = 32;
/** Of lists with a million views one or a few are kept: more would fill the memory. */
const MOST_WORDS = 1e7;

/** A bounded least-recently-used cache. Its keys are lists of about one length, and compared word by word. */
export class Recent<T> {
  readonly #drop: ((value: T) => void) | undefined;
  /** What was used last comes first. */
  readonly #kept: { readonly key: readonly unknown[]; readonly value: T }[] = [];

  /** @param drop gets each value that leaves the cache. */
  constructor(drop?: (value: T) => void) {
    this.#drop = drop;
  }

  /** The key's value, made now if there is none. */
  get(key: readonly unknown[], make: () => T): T {
    const at = this.#kept.findIndex(
      (kept) => kept.key.length === key.length && kept.key.every((word, i) => word === key[i]),
    );
    const [entry = { key, value: make() }] = at < 0 ? [] : this.#kept.splice(at, 1);
    this.#kept.unshift(entry);
    const [oldest] = this.#kept.splice(Math.min(MOST_KEPT, Math.ceil(MOST_WORDS / key.length)), 1);
    if (oldest) this.#drop?.(oldest.value);
    return entry.value;
  }

  values(): T[] {
    return this.#kept.map(({ value }) => value);
  }
}
