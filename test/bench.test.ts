import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Results } from "../bench/benchmark.ts";
import { figuresOf } from "../bench/figures.ts";
import { gpt2, mobileNetV2, smallGru } from "../bench/models.ts";
import { bandwidthPlot } from "../bench/plot.ts";
import { publishedFrom, type Recorded, withMeasured } from "../bench/publish.ts";
import { machineName, recordingsFrom } from "../bench/recorded.ts";
import { judge, truthOf } from "../bench/reference.ts";
import { ratioOf, spreadOf } from "../bench/statistics.ts";
import { Stop } from "../bench/stop.ts";
import { isMet, targetsOf } from "../bench/targets.ts";
import { compete } from "../bench/turns.ts";
import type { Answer, Contestant, Row } from "../bench/types.ts";
import { valuesOf } from "../bench/workloads.ts";
import { sentenceOf } from "../demo/benchmark/sentence.ts";
import { sum, workload } from "./support/workload.ts";

describe("what ends a run", () => {
  const lossOf = () => {
    let lose = (_: { message: string }) => {};
    const lost = new Promise<{ message: string }>((resolve) => {
      lose = resolve;
    });
    return { device: { lost } as unknown as GPUDevice, lose: (message: string) => lose({ message }) };
  };

  test("is the first reason, whatever follows", async () => {
    const { device, lose } = lossOf();
    const wish = new AbortController();
    const stop = new Stop(wish.signal, device);
    stop.check();
    lose("the driver restarted");
    await expect(stop.promise).rejects.toThrow("The GPU was lost: the driver restarted");
    wish.abort();
    expect([stop.reason, stop.isLost]).toEqual(["The GPU was lost: the driver restarted", true]);
    expect(() => stop.check()).toThrow("The GPU was lost");
  });

  test("is the visitor's wish and no loss where that came first", async () => {
    const { device, lose } = lossOf();
    const wish = new AbortController();
    const stop = new Stop(wish.signal, device);
    wish.abort();
    expect(() => stop.check()).toThrow("Cancelled.");
    lose("later");
    await expect(stop.promise).rejects.toThrow("Cancelled.");
    expect([stop.reason, stop.isLost]).toEqual(["Cancelled.", false]);
  });

  test("is the loss where that shows first as an error of something else; any other error is thrown again", async () => {
    const { device, lose } = lossOf();
    const stop = new Stop(undefined, device);
    const other = new Error("a mistake");
    await expect(stop.reasonFor(other)).rejects.toBe(other);
    setTimeout(() => lose(""), 5);
    expect(await stop.reasonFor(new Error("mapAsync failed"))).toBe("The GPU was lost: the browser does not say why.");
  });
});

describe("the run in one sentence, and the other machines", () => {
  const row = (contestant: string, workload: string, bytes: number, clock: number[]): Row => ({
    workload,
    contestant,
    work: "clip",
    bytes,
    verdict: "right",
    throughput: { steps: 1, clock },
  });
  const results = (adapter: string, isSoftware = false) =>
    ({
      command: "",
      date: "2026-01-01T00:00:00Z",
      environment: { adapter, isSoftware, engine: "", agent: "", features: [], limits: {}, clockQuantumNs: 1 },
      workloads: [
        { name: "model", dtype: "f32", isArena: false, tensors: 9, elements: 1000 },
        { name: "one of 1 Mi, f32", dtype: "f32", isArena: true, tensors: 1, elements: 2 ** 20 },
        { name: "one of 4 Mi, f32", dtype: "f32", isArena: true, tensors: 1, elements: 2 ** 22 },
      ],
      rows: [
        row("gradclip", "model", 12, [1, 1, 1]),
        row("TensorFlow.js operations", "model", 12, [4, 5, 6]),
        row("jax-js, jit", "model", 12, [3, 2, 3]),
        row("gradclip", "one of 1 Mi, f32", 3 * 2 ** 22, [3, 3, 3]),
        row("gradclip", "one of 4 Mi, f32", 3 * 2 ** 24, [6, 6, 6]),
        row("copyBufferToBuffer", "one of 4 Mi, f32", 2 * 2 ** 24, [3.6, 3.6, 3.6]),
      ],
    }) as unknown as Recorded;

  test("the largest gradient against the copy, the largest model against the others", () => {
    // 3 parts in 6 ms against 2 parts in 3.6 ms: 90 %.
    expect(sentenceOf(results("a card"))).toBe(
      "Clipping runs at 90 % of this GPU's copy speed, 5.0 times the speed of TensorFlow.js, 3.0 times the speed of jax-js.",
    );
  });

  test.each([
    [
      "mesa software llvmpipe-llvm-19-1-7-256-bits- llvmpipe: Mesa 25.0.7-2+deb13u1 (LLVM 19.1.7) 0.0.1",
      "llvmpipe (Mesa 25.0.7)",
    ],
    ["google swiftshader SwiftShader Device (Subzero)", "SwiftShader"],
    ["llvmpipe (LLVM 15.0.7, 256 bits)", "llvmpipe"],
    ["Microsoft Basic Render Driver", "Microsoft Basic Render Driver"],
  ])("the software adapter %s has a short name", (adapter, name) => {
    expect(machineName({ adapter, isSoftware: true })).toBe(`${name}, WebGPU emulated in software`);
    expect(machineName({ adapter })).toBe(adapter);
  });

  test("no sentence on a software adapter, and none of half a run", () => {
    expect(sentenceOf(results("swiftshader", true))).toBe("");
    expect(sentenceOf({ ...results("a card"), rows: [] })).toBe("");
  });

  test("a visitor's report becomes a faint line, and no run of ours", () => {
    const files: Record<string, Recorded> = {
      "ours-1.json": results("llvmpipe", true),
      "ours-2.json": results("llvmpipe", true),
      "machines/card.json": results("a <card>"),
      "machines/soft.json": results("swiftshader", true),
    };
    const read = (name: string) => JSON.stringify(files[name]);
    const names = [...Object.keys(files), "cpu.json", "isa-x.json", "machines/README.md"];
    const { shown, file, others } = recordingsFrom(names, read);
    // A GPU comes before what emulates one.
    expect([file, shown.environment.adapter]).toEqual(["machines/card.json", "a <card>"]);
    expect(others.map(({ name, isSoftware }) => [name, isSoftware])).toEqual([
      ["swiftshader, WebGPU emulated in software", true],
      ["llvmpipe, WebGPU emulated in software", true],
    ]);
    expect(others[0]?.points.map(([bytes]) => bytes)).toEqual([2 ** 22, 2 ** 24]);
    expect(others[0]?.points[1]?.[1]).toBeCloseTo((3 * 2 ** 24) / 6 / 1e6, 10);
    const plot = bandwidthPlot(shown, { others: [{ name: "b <i>", points: others[0]?.points ?? [] }] });
    expect(plot?.match(/<polyline class="other"[^>]*><title>b &lt;i><\/title>/g)).toHaveLength(1);
    expect(plot).toContain("clipping on other machines");
  });
});

describe("workloads", () => {
  test("have the parameters that the models are published with", () => {
    // torchvision's mobilenet_v2, Hugging Face's gpt2 and distilgpt2.
    expect([mobileNetV2().length, sum(mobileNetV2())]).toEqual([158, 3_504_872]);
    expect([gpt2().length, sum(gpt2())]).toEqual([148, 124_439_808]);
    expect([gpt2({ layers: 6 }).length, sum(gpt2({ layers: 6 }))]).toEqual([76, 81_912_576]);
    expect(smallGru().length).toBe(10);
  });

  test("are the same for a seed, and others for another", () => {
    const small = workload([100, 7]);
    expect(valuesOf(small, 1)).toEqual(valuesOf(small, 1));
    expect(valuesOf(small, 1)).not.toEqual(valuesOf(small, 2));
  });
});

describe("what a contestant must answer", () => {
  const values = [Float32Array.of(3, 0.5), Float32Array.of(4)];
  const truth = truthOf(values);
  const clipped = values.map((array) => array.map((value) => value / 2));

  test("is held against float64", () => {
    expect(truth.norm).toBeCloseTo(Math.sqrt(25.25), 14);
    expect(judge("clip", { norm: truth.norm, values: clipped }, truth).error).toBeLessThan(2 ** -24);
    expect(judge("keep", { norm: truth.norm, values }, truth).right).toBe(true);
    expect(judge("measure", { norm: truth.norm * 1.00001 }, truth).right).toBe(true);
    expect(judge("read", { sum: (0x40400000 + 0x3f000000 + 0x40800000) >>> 0 }, truth).right).toBe(true);
  });

  test.each<[string, Parameters<typeof judge>[0], Answer]>([
    ["an unclipped value", "clip", { values: [Float32Array.of(1.5, 0.25), Float32Array.of(4)] }],
    ["a missing tensor", "clip", { values: clipped.slice(1) }],
    ["a NaN", "clip", { values: [Float32Array.of(1.5, Number.NaN), Float32Array.of(2)] }],
    ["values but another norm", "clip", { values: clipped, norm: 5 }],
    ["a norm of one tensor", "measure", { norm: Math.sqrt(9.25) }],
    ["no norm", "measure", {}],
    ["changed bytes under the bound", "keep", { norm: truth.norm, values: clipped }],
    ["a sum of fewer words", "read", { sum: 0x40400000 }],
    ["bytes that were not written", "rewrite", { values }],
    ["bytes that were not copied", "copy", { values: clipped }],
  ])("%s is wrong", (_, work, answer) => {
    expect(judge(work, answer, truth).right).toBe(false);
  });
});

describe("turns", () => {
  const small = workload([4]);
  const truth = truthOf(valuesOf(small));
  const pace = { batchMs: 1, rounds: 3, latencyRounds: 2 };
  const halved = () => truth.values.map((array) => Float32Array.from(array as Float32Array, (value) => value / 2));

  function contestant(name: string, answer: () => Answer, log: string[], more: Partial<Contestant> = {}): Contestant {
    return {
      name,
      work: "clip",
      bytes: 48,
      configurations: [{}],
      async enter() {
        return {
          answer: async () => answer(),
          async time(steps) {
            log.push(`${name} ${steps}`);
            return { clock: 0.5 };
          },
          destroy: () => log.push(`${name} ends`),
        };
      },
      ...more,
    };
  }

  test("a wrong answer gets no time", async () => {
    const log: string[] = [];
    const right = contestant("right", () => ({ values: halved() }), log);
    const wrong = contestant("wrong", () => ({ values: truth.values }), log);
    const rows = await compete(small, truth, [wrong, right], pace);
    expect(rows.map(({ contestant, verdict }) => [contestant, verdict])).toEqual([
      ["wrong", "wrong"],
      ["right", "right"],
    ]);
    expect(rows[0]).toMatchObject({ reason: "off by 1.0" });
    expect(rows[0]?.throughput).toBeUndefined();
    expect(log.filter((entry) => entry.startsWith("wrong"))).toEqual(["wrong ends"]);
    expect(rows[1]?.throughput).toEqual({ steps: 2, clock: [0.5, 0.5, 0.5] });
    expect(rows[1]?.latency).toEqual({ steps: 1, clock: [0.5, 0.5] });
  });

  test("rows come one by one, with the part that is done, and a listener that throws ends all", async () => {
    const log: string[] = [];
    const list = ["a", "b"].map((name) => contestant(name, () => ({ values: halved() }), log));
    const rows: Row[] = [];
    const parts: number[] = [];
    await compete(small, truth, list, pace, {
      onRow: (row) => rows.push(row),
      onTurn: (_, done) => {
        parts.push(done);
      },
    });
    expect(rows.map(({ contestant, isPreliminary }) => [contestant, isPreliminary])).toEqual([
      ["a", true],
      ["b", true],
    ]);
    expect(rows[0]?.throughput).toEqual({ steps: 2, clock: [0.5] });
    // Two tries of four turns, three rounds and two of them alone.
    expect(parts).toEqual([0, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17].map((turns) => turns / 18));
    log.length = 0;
    const onTurn = (name: string) => {
      if (name === "b") throw new Error("enough");
    };
    await expect(compete(small, truth, list, pace, { onTurn })).rejects.toThrow("enough");
    expect(log.filter((entry) => entry.endsWith("ends"))).toEqual(["a ends"]);
  });

  test("a batch is long enough for a coarse clock, whatever five steps seemed to take", async () => {
    // A step of 2 µs, a wait of 0.2 ms, and a clock in steps of 0.1 ms.
    const clockOf = (steps: number) => Math.round((0.2 + 0.002 * steps) * 10) / 10 / steps;
    const copy = contestant("copy", () => ({ values: halved() }), [], {
      mostSteps: 20_000,
      enter: async () => ({
        answer: async () => ({ values: halved() }),
        time: async (steps) => ({ clock: clockOf(steps) }),
        destroy() {},
      }),
    });
    const [row] = await compete(small, truth, [copy], { batchMs: 15, rounds: 3, latencyRounds: 0 });
    const { steps = 0, clock: [ms = 0] = [] } = row?.throughput ?? {};
    expect(steps * ms).toBeGreaterThan(7.5);
    expect(Math.abs(ms / 0.002 - 1)).toBeLessThan(0.05);
  });

  test("a contestant that throws is told with its reason, and the others go on", async () => {
    const failing = contestant("failing", () => ({}), [], {
      enter: () => Promise.reject(new Error("no such backend")),
    });
    const right = contestant("right", () => ({ values: halved() }), []);
    const [first, second] = await compete(small, truth, [failing, right], pace);
    expect(first).toMatchObject({ verdict: "failed", reason: "no such backend" });
    expect(second?.verdict).toBe("right");
  });

  test("contestants take turns, and each round begins with another", async () => {
    const log: string[] = [];
    const list = ["a", "b"].map((name) => contestant(name, () => ({ values: halved() }), log));
    await compete(small, truth, list, { ...pace, latencyRounds: 0 });
    expect(log.slice(-8).map((entry) => entry[0])).toEqual([..."abbaab", ..."ab"]);
  });

  test("the fastest configuration with a right answer is taken", async () => {
    const sweep = contestant("sweep", () => ({}), [], {
      configurations: [{ workgroups: 1 }, { workgroups: 2 }, { workgroups: 3 }],
      async enter({ workgroups = 0 }) {
        return {
          // The fastest of them is wrong.
          answer: async () => ({ values: workgroups === 3 ? truth.values : halved() }),
          time: async () => ({ clock: 4 - workgroups }),
          destroy() {},
        };
      },
    });
    const [row] = await compete(small, truth, [sweep], pace);
    expect(row?.configuration).toEqual({ workgroups: 2 });
    expect(row?.sweep?.map(({ ms }) => ms)).toEqual([3, 2, undefined]);
  });
});

describe("figures", () => {
  test("median and quartiles, and ratios pair by pair", () => {
    expect(spreadOf([5, 1, 3, 2, 4])).toEqual({ median: 3, low: 2, high: 4 });
    // The second pair was disturbed; the ratio of medians would be 1.
    expect(ratioOf([2, 30, 4], [1, 15, 2]).median).toBe(2);
  });

  test("timestamps count where both have them, else the clock", () => {
    const row = (contestant: string, against: string | undefined, gpu?: number[]): Row => ({
      workload: "w",
      contestant,
      work: "clip",
      against,
      bytes: 4e6,
      verdict: "right",
      throughput: { steps: 1, clock: [4], gpu },
    });
    const rows = [row("ours", undefined, [2]), row("shader", "ours", [6]), row("peer", "ours")];
    const figures = rows.map((each) => figuresOf(each, rows));
    expect(figures.map((each) => each?.ratio?.median)).toEqual([undefined, 3, 1]);
    expect(figures.map((each) => each?.gigabytesPerSecond)).toEqual([2, 4e6 / 6 / 1e6, 1]);
  });

  test("targets are met or not by the median", () => {
    const rows = ["read", "gradclip's norm pass"].map(
      (contestant, i): Row => ({
        workload: "one of 16 Mi, f32",
        contestant,
        work: "read",
        bytes: 1,
        verdict: "right",
        throughput: { steps: 1, clock: [i === 0 ? 3 : 5] },
      }),
    );
    const results = { rows, workloads: [], hostCosts: [], counts: [] } as unknown as Results;
    const [target] = targetsOf(results);
    expect(target?.measured.median).toBeCloseTo(0.6);
    expect(target && isMet(target)).toBe(false);
  });
});

test("docs/performance.md shows what is recorded in bench/results, made by node bench/publish.mjs", () => {
  const repository = new URL("../", import.meta.url);
  const folder = new URL("bench/results/", repository);
  const published = publishedFrom(readdirSync(folder), (name) => readFileSync(new URL(name, folder), "utf8"));
  const page = readFileSync(new URL("docs/performance.md", repository), "utf8");
  expect(withMeasured(page, published)).toBe(page);
});
