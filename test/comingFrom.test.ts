/** Every row of docs/coming-from.md: our line is run, the other system's figures are computed from its formula. */
import { describe, expect, test } from "vitest";
import { clipByGlobalNorm } from "../src/index.ts";
import type { Check } from "./comingFrom/checks.ts";
import { caffe, optax, pytorch, tfGlobalNorm, tfNorm } from "./comingFrom/formulas.ts";
import { lines } from "./comingFrom/lines.ts";
import { optaxChecks } from "./comingFrom/optax.ts";
import { caffeChecks, otherChecks } from "./comingFrom/others.ts";
import { codeIn, type Outcome, rowsOfPage, written } from "./comingFrom/page.ts";
import { pytorchChecks } from "./comingFrom/pytorch.ts";
import { arrays, runLine, valuesOf } from "./comingFrom/run.ts";
import { tensorflowChecks } from "./comingFrom/tensorflow.ts";
import { Workbench } from "./support/workbench.ts";

const LINES = "Coming from PyTorch, TensorFlow, Keras, Optax or Caffe";
const EDGES = "The edges, side by side";
const CHECKS: Record<string, Record<string, Check>> = {
  PyTorch: pytorchChecks,
  "TensorFlow and Keras": tensorflowChecks,
  Optax: optaxChecks,
  Caffe: caffeChecks,
  "timm, Opacus, Apex, Megatron-LM, DeepSpeed": otherChecks,
};
const rows = rowsOfPage();

function cellsUnder(heading: string): (readonly string[])[] {
  return rows.filter((row) => row.heading === heading).map(({ cells }) => cells);
}

test("every table of the page is checked here", () => {
  const headings = [...new Set(rows.map(({ heading }) => heading))];
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
  const table = cellsUnder(EDGES).map(([input = "", ...cells]) => ({ input, cells }));

  test("the rows are those that systems differ in", () => {
    expect(table.map(({ input }) => input)).toEqual([
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

  test.each(table)("$input", async ({ input, cells }) => {
    const [gradient, bound] = inputOf(input);
    const ours = await outcome(async () => {
      const gradients = arrays(gradient);
      await runLine([`clipByGlobalNorm(${bound})`], gradients);
      return valuesOf(gradients);
    });
    expect(cells).toEqual([...theirs.map((clip) => written(clip(gradient, bound))), ours]);
  });

  test("the same in gradclip's column on the GPU", async () => {
    const bench = await Workbench.open();
    for (const { input, cells } of table) {
      const [gradient, bound] = inputOf(input);
      const found = await outcome(async () => {
        const buffer = bench.buffer(gradient);
        bench.clipper.prepare([buffer], clipByGlobalNorm(bound)).run();
        return bench.values(buffer);
      });
      expect(found, input).toBe(cells.at(-1));
    }
    await bench.tidy();
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

function inputOf(cell: string): [gradient: number[], bound: number] {
  return new Function(`return [${codeIn(cell).join(", ")}];`)();
}

function afterArrow(cell: string): string {
  return cell.split(" → ")[1] ?? "";
}

/** What came out, as the page writes it; of an error, its class. */
async function outcome(act: () => Promise<Outcome>): Promise<string> {
  try {
    return written(await act());
  } catch (error) {
    return `\`${(error as Error).constructor.name}\``;
  }
}
