/** Calls that wait for the GPU end in any order; each takes its turn in the order in which they were made. */
export class Turns {
  /** Settles when all earlier calls have ended. */
  #last = Promise.resolve();

  /** @param work waits for `before` when its own answer is there. */
  async take<T>(work: (before: Promise<void>) => Promise<T>): Promise<T> {
    const before = this.#last;
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    // One that was aborted or failed may end before an earlier one.
    this.#last = before.then(() => ended);
    try {
      return await work(before);
    } finally {
      end();
    }
  }
}
