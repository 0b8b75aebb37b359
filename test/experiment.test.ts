import { readFileSync } from "node:fs";
import { defaultDevice, init, numpy as np } from "@jax-js/jax";
import { describe, expect, test } from "vitest";
import { adamCells, cells, longCells, seeds } from "../bench/experiment/plan.ts";
import { headlineOf } from "../bench/experiment/race.ts";
import { drawRace } from "../bench/experiment/raceFigure.ts";
import { sentencesOf } from "../bench/experiment/sentences.ts";
import { type CellSummary, median, type Summary, wilson } from "../bench/experiment/summary.ts";

import { adam, type Parameters } from "../bench/training/rnn.ts";

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

test("its Adam is that of Kingma and Ba, as at the end of section 2, in float64", async () => {
  await init("wasm");
  defaultDevice("wasm");
  const names = ["inputKernel", "recurrentKernel", "hiddenBias", "outputKernel", "outputBias"] as const;
  const rates = [0.001, 0.01];
  const parameterOf = (name: number, i: number) => Math.sin(1 + 7 * name + i);
  const gradientOf = (step: number, name: number, i: number) => 10 ** (name - 3) * Math.cos(3 * step + name + 2 * i);
  const arrays = (value: (name: number, i: number) => number) =>
    Object.fromEntries(
      names.map((key, name) => [
        key,
        np.array(
          Array.from({ length: 6 }, (_, i) => value(name, i)),
          { shape: [2, 3] },
        ),
      ]),
    ) as Parameters;

  let parameters = arrays(parameterOf);
  const optimizer = adam(parameters);
  const learningRates = np.array(rates);
  for (let step = 1; step <= 20; step++) {
    parameters = optimizer.update(
      parameters,
      arrays((name, i) => gradientOf(step, name, i)),
      learningRates,
    );
  }
  for (const [name, key] of names.entries()) {
    const found = (await parameters[key].data()) as Float32Array;
    found.forEach((value, i) => {
      let [wanted, first, second] = [parameterOf(name, i), 0, 0];
      for (let step = 1; step <= 20; step++) {
        const gradient = gradientOf(step, name, i);
        first = 0.9 * first + 0.1 * gradient;
        second = 0.999 * second + 0.001 * gradient ** 2;
        const rate = ((rates[Math.floor(i / 3)] as number) * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step);
        wanted -= (rate * first) / (Math.sqrt(second) + 1e-8);
      }
      expect(Math.abs(value - wanted)).toBeLessThan(1e-6);
    });
  }
  optimizer.dispose();
  learningRates.dispose();
});

describe("docs/experiment.json", () => {
  const summary = JSON.parse(readFileSync(new URL("docs/experiment.json", repository), "utf8")) as Summary;

  test("holds every cell of the plan with every seed, or names it as missing", () => {
    const named = ({ mode, learningRate, steps }: Pick<CellSummary, "mode" | "learningRate" | "steps">) =>
      `${mode} ${learningRate} ${steps}`;
    const { cells: main, longRuns, adam, missing } = summary;
    const planned = [...cells, ...longCells, ...adamCells];
    expect([...main, ...longRuns, ...adam, ...missing].map(named).sort()).toEqual(planned.map(named).sort());
    for (const cell of [...main, ...longRuns, ...adam]) {
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

  test("is what docs/experiment.md and README say, number by number", () => {
    const read = (page: string) => readFileSync(new URL(page, repository), "utf8").replaceAll(/\s+/g, " ");
    const sentences = sentencesOf(summary);
    for (const sentence of sentences) expect(read("docs/experiment.md")).toContain(sentence);
    const { clipped, unclipped } = headlineOf(summary);
    expect(read("README.md")).toContain(`${clipped} ${unclipped}`);
  });

  test("is drawn", () => {
    const figure = readFileSync(new URL("docs/experiment.svg", repository), "utf8");
    expect(figure.match(/<circle/g)?.length).toBe(2 * summary.cells.length);
  });

  test("is drawn as a race: 60 networks, those that read 70 % with a tick and those that exploded in pieces", () => {
    const figure = readFileSync(new URL("docs/race.svg", repository), "utf8");
    expect(figure).toBe(drawRace(summary));
    const count = (pattern: RegExp) => figure.match(pattern)?.length;
    expect([count(/class="tick"/g), count(/class="crack"/g), count(/class="empty"/g)]).toEqual([18, 25, 35]);
  });
});
