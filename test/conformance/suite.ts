/** Runs cases on a harness, whatever is behind it. */
import { fail } from "./expect.ts";
import { withoutErrors } from "./harness-webgpu.ts";
import { checkOutcome } from "./outcome.ts";
import type { Case, Harness, Unit, WebGpuHarness } from "./types.ts";

// Together in one submit: enough that the submit's cost vanishes, and no more memory than a phone has.
const UNITS_AT_ONCE = 128;
const WORDS_AT_ONCE = 4 << 20;

export function appliesTo(testCase: Case, harness: Harness): boolean {
  if ("gpuScript" in testCase) return harness.backend === "webgpu";
  return testCase.only === undefined || testCase.only === harness.backend;
}

/** Rejects with everything that is wrong. */
export async function runCase(testCase: Case, harness: Harness): Promise<void> {
  const work = async () => {
    try {
      if ("units" in testCase) await runUnits(testCase.units(), harness);
      else if ("script" in testCase) await testCase.script(harness);
      else await testCase.gpuScript(harness as WebGpuHarness);
    } finally {
      harness.release();
    }
  };
  if (harness.backend === "webgpu") await withoutErrors((harness as WebGpuHarness).device, work);
  else await work();
}

export async function runUnits(units: readonly Unit[], harness: Harness): Promise<void> {
  if (units.length === 0) fail("a case without units checks nothing");
  const problems: string[] = [];
  for (const batch of batches(units)) {
    const outcomes = await harness.execute(batch);
    if (outcomes.length !== batch.length) fail(`${outcomes.length} outcomes for ${batch.length} units`);
    batch.forEach((unit, index) => {
      try {
        const outcome = outcomes[index] ?? fail("no outcome");
        checkOutcome(asRun(unit), outcome);
      } catch (error) {
        problems.push(`${unit.label}: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
  }
  if (problems.length > 0) {
    const shown = problems.slice(0, 5).join("\n  ");
    fail(`${problems.length} of ${units.length} wrong:\n  ${shown}`);
  }
}

/** What the step had. */
function asRun(unit: Unit): Unit {
  return { ...unit, tensors: unit.tensors.map((tensor, i) => (unit.absent?.includes(i) ? null : tensor)) };
}

function* batches(units: readonly Unit[]): Generator<Unit[]> {
  let batch: Unit[] = [];
  let words = 0;
  for (const unit of units) {
    const size = unit.tensors.reduce((sum, tensor) => sum + (tensor?.bits.length ?? 0), 0);
    if (batch.length === UNITS_AT_ONCE || (batch.length > 0 && words + size > WORDS_AT_ONCE)) {
      yield batch;
      batch = [];
      words = 0;
    }
    batch.push(unit);
    words += size;
  }
  yield batch;
}
