/** Runs anew for each file that shares the engines' devices, which must report no error. */
import { afterAll, expect } from "vitest";
import { counters } from "./counter.ts";

afterAll(async () => {
  for (const { device, errors } of counters) {
    await device.queue.onSubmittedWorkDone();
    expect(errors.splice(0)).toEqual([]);
  }
});
