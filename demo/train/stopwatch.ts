/** Measures for how long something ran. The time in which it is paused or hidden does not count. */
export class Stopwatch {
  readonly #now: () => number;
  #before = 0;
  #since: number | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** In milliseconds. */
  get elapsed(): number {
    return this.#before + (this.#since === undefined ? 0 : this.#now() - this.#since);
  }

  run(isRunning: boolean): void {
    this.#before = this.elapsed;
    this.#since = isRunning ? this.#now() : undefined;
  }

  reset(): void {
    this.#before = 0;
    if (this.#since !== undefined) this.#since = this.#now();
  }
}
