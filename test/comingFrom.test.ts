/** Every row of docs/coming-from.md: our line is run, the other system's figures are computed from its formula. */
import { describe, expect, test } from "vitest";
import type { Check } from "./comingFrom/checks.ts";
import { caffe, optax, pytorch, tfGlobalNorm, tfNorm } from "./comingFrom/formulas.ts";
import { lines } from "./comingFrom/lines.ts";
import { optaxChecks } from "./comingFrom/optax.ts";
import { caffeChecks, otherChecks } from "./comingFrom/others.ts";
import { cellsUnder, codeIn, EDGES, edges, outcome, rowsOfPage, written } from "./comingFrom/page.ts";
import { pytorchChecks } from "./comingFrom/pytorch.ts";
import { arrays, runLine, valuesOf } from "./comingFrom/run.ts";
import { tensorflowChecks } from "./comingFrom/tensorflow.ts";

const LINES = "Coming from PyTorch, TensorFlow, Keras, Optax or Caffe";
const CHECKS: Record<string, Record<string, Check>> = {
  PyTorch: pytorchChecks,
  "TensorFlow and Keras": tensorflowChecks,
  Optax: optaxChecks,
  Caffe: caffeChecks,
  "timm, Opacus, OLMo-core, axlearn, Apex, Megatron-LM, DeepSpeed, AdaGC": otherChecks,
};

test("every table of the page is checked here", () => {
  const headings = [...new Set(rowsOfPage().map(({ heading }) => heading))];
  expect(headings).toEqual([LINES, EDGES, ...Object.keys(CHECKS)]);
});

describe("their line, our line", () => {
  let system = "";
  const table = cellsUnder(LINES).map(([name, theirs = "", ours = ""]) => {
    system = name || system;
    return { key: `${system}: ${theirs}`, ours };
  });

  test("the rows are those that are checked", () => {
    expect(table.map(({ key }) => key)).toEqual(Object.keys(lines));
  });

  test.each(table)("$key", async ({ key, ours }) => {
    const { gradients, theirs } = lines[key] ?? expect.fail("no check for this row");
    const { report, gradients: clipped } = await runLine(codeIn(ours), gradients());
    const [want, found] =
      typeof theirs === "number" ? [[theirs], [report.norm]] : [theirs.flat(), valuesOf(clipped).flat()];
    expect(found.length).toBe(want.length);
    found.forEach((value, i) => {
      const expected = want[i] as number;
      expect(Math.abs(value - expected), `${value} for ${expected}`).toBeLessThanOrEqual(1e-6 * Math.abs(expected));
    });
  });
});

describe("the edges, side by side", () => {
  const theirs = [pytorch, tfGlobalNorm, tfNorm, optax, caffe];

  test("the rows are those that systems differ in", () => {
    expect(edges().map(({ input }) => input)).toEqual([
      "`[3, 4]`, `1`",
      "`[3, 4]`, `5`",
      "`[3, 4]`, `41`",
      "`[3, 4]`, `Infinity`",
      "`[3, 4]`, `0`",
      "`[3, 4]`, `-1`",
      "`[0, 0]`, `1`",
      "`[0, 0]`, `0`",
      "`[NaN, 1]`, `1`",
      "`[Infinity, 1]`, `1`",
      "`[Infinity, 1]`, `Infinity`",
      "`[1e20, 1e20]`, `1`",
      "`[1e-7, 0]`, `1e-7`",
      "`[1e-23, 1e-23]`, `1e-24`",
    ]);
  });

  test.each(edges())("$input", async ({ gradient, bound, cells }) => {
    const ours = await outcome(async () => {
      const gradients = arrays(gradient);
      await runLine([`clipByGlobalNorm(${bound})`], gradients);
      return valuesOf(gradients);
    });
    expect(cells).toEqual([...theirs.map((clip) => written(clip(gradient, bound))), ours]);
  });
});

describe.each(Object.entries(CHECKS))("%s", (heading, checks) => {
  const table = cellsUnder(heading).map(([key = "", theirs = "", ours = ""]) => ({ key, theirs, ours }));

  test("the rows are those that are checked", () => {
    expect(table.map(({ key }) => key)).toEqual(Object.keys(checks));
  });

  test.each(table)("$key", async ({ key, theirs, ours }) => {
    const check = checks[key] ?? expect.fail("no check for this row");
    expect(afterArrow(theirs), "theirs").toBe(written(check.theirs));
    const [line = ""] = ours.split(" → ");
    const found = await outcome(async () => {
      const step = await runLine(codeIn(line), check.gradients());
      return check.ours ? check.ours(step) : valuesOf(step.gradients);
    });
    expect(afterArrow(ours), "ours").toBe(found);
  });
});

function afterArrow(cell: string): string {
  return cell.split(" → ")[1] ?? "";
}
