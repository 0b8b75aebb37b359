import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cells, longCells, seeds } from "../bench/experiment/plan.ts";
import { sentencesOf } from "../bench/experiment/sentences.ts";
import { type CellSummary, median, type Summary, wilson } from "../bench/experiment/summary.ts";

const repository = new URL("../", import.meta.url);

describe("the experiment's intervals", () => {
  // R. G. Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])("wilson(%i, %i) is the published one", (successes, count, low, high) => {
    const [least, most] = wilson(successes, count);
    expect(least).toBeCloseTo(low, 3);
    expect(most).toBeCloseTo(high, 3);
  });

  test("the median of 20 lies between the 6th and the 15th in 95 % of all samples", () => {
    const values = Array.from({ length: 20 }, (_, index) => (index * 7) % 20);
    expect(median(values)).toEqual({ value: 9.5, interval: [5, 14] });
  });

  test("a median that fewer than half reach is none", () => {
    expect(median([1, 2, Infinity, Infinity, Infinity]).value).toBeNull();
  });
});

describe("docs/experiment.json", () => {
  const summary = JSON.parse(readFileSync(new URL("docs/experiment.json", repository), "utf8")) as Summary;

  test("holds every cell of the plan with every seed, or names it as missing", () => {
    const named = ({ mode, learningRate, steps }: Pick<CellSummary, "mode" | "learningRate" | "steps">) =>
      `${mode} ${learningRate} ${steps}`;
    const { cells: main, longRuns, missing } = summary;
    expect([...main, ...longRuns, ...missing].map(named).sort()).toEqual([...cells, ...longCells].map(named).sort());
    for (const cell of [...summary.cells, ...summary.longRuns]) {
      expect(cell.outcomes.map(({ seed }) => seed)).toEqual(seeds);
    }
  });

  test("counts what its outcomes say", () => {
    for (const { outcomes, exploded, arrived } of summary.cells) {
      const gone = outcomes.filter(
        ({ explodedAt, loss }) => explodedAt !== null || !(Number(loss) <= 2 * Math.log(10)),
      );
      expect(exploded).toBe(gone.length);
      expect(arrived).toBe(outcomes.filter(({ accuracy }) => accuracy.some((share) => share >= 0.7)).length);
    }
  });

  test("shows the claims: explosions without clipping and none by norm, and the faster way at the higher rate", () => {
    const at = (mode: string, rate: number) =>
      summary.cells.find((cell) => cell.mode === mode && cell.learningRate === rate) as Summary["cells"][number];
    for (const rate of [0.0215, 0.1]) {
      expect(at("none", rate).exploded).toBeGreaterThan(seeds.length / 3);
      expect(at("norm", rate).exploded).toBe(0);
    }
    const { webgpu, wasm } = summary.crossCheck;
    expect(webgpu.backend).toMatch(/^WebGPU/);
    expect(webgpu.exploded).toBe(wasm.exploded);
    // Rounding makes each curve another one; their medians agree.
    expect(Math.abs((webgpu.accuracy.value as number) - (wasm.accuracy.value as number))).toBeLessThan(0.1);
  });

  test("is what README says, number by number", () => {
    const readme = readFileSync(new URL("README.md", repository), "utf8").replaceAll(/\s+/g, " ");
    for (const sentence of sentencesOf(summary)) expect(readme).toContain(sentence);
  });

  test("is drawn", () => {
    const figure = readFileSync(new URL("docs/experiment.svg", repository), "utf8");
    expect(figure.match(/<circle/g)?.length).toBe(2 * summary.cells.length);
  });
});
