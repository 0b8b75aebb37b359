/** The training page's network: what a reading of it says, and what it asks of gradclip. */
import { readFileSync } from "node:fs";
import { beforeAll, expect, test, vi } from "vitest";
import { onCpu } from "../bench/training/backend.ts";
import { Digits } from "../bench/training/digits.ts";
import { type MethodName, methods } from "../demo/train/methods.ts";
import { Network } from "../demo/train/network.ts";

const asked = vi.hoisted(() => ({ reports: 0, histories: 0, lengths: new Set<number | undefined>() }));
vi.mock("../src/adapters/jax.ts", async (original) => {
  const jax = await original<typeof import("../src/adapters/jax.ts")>();
  const clipUpdates: typeof jax.clipUpdates = (method, options) => {
    const clip = jax.clipUpdates(method, options);
    asked.lengths.add(options?.history);
    const report: typeof clip.report = (options) => {
      asked.reports++;
      return clip.report(options);
    };
    const history: typeof clip.history = () => {
      asked.histories++;
      return clip.history();
    };
    return { ...clip, report, history };
  };
  return { ...jax, clipUpdates };
});

const digits = new Digits(readFileSync(new URL("../bench/training/digits8.bin", import.meta.url)));
const names = Object.keys(methods) as MethodName[];

async function networkAfter(steps: number, name: MethodName, bound: number, history: number): Promise<Network> {
  const network = new Network(digits, { seed: 8, learningRate: 0.1 }, methods[name](bound), history);
  for (let step = 0; step < steps; step++) await network.step();
  return network;
}

let instances = 0;
beforeAll(() => {
  WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
    construct(Instance, values) {
      instances++;
      return Reflect.construct(Instance, values);
    },
  });
  return onCpu("requested");
});

test("a step makes no instance of a kernel that a step before it has made", async () => {
  const network = await networkAfter(3, "norm", 1, 3);
  const before = instances;
  expect(before).toBeGreaterThan(10);
  for (let step = 0; step < 3; step++) await network.step();
  await network.read();
  expect(instances).toBe(before);
});

test("a module with another memory, or with none, has an instance of its own", () => {
  const bytes = Uint8Array.of(
    0,
    97,
    115,
    109,
    1,
    0,
    0,
    0,
    2,
    15,
    1,
    3,
    101,
    110,
    118,
    6,
    109,
    101,
    109,
    111,
    114,
    121,
    2,
    0,
    1,
  );
  const module = new WebAssembly.Module(bytes);
  const [one, two] = [1, 2].map(() => ({ env: { memory: new WebAssembly.Memory({ initial: 1 }) } }));
  const first = new WebAssembly.Instance(module, one);
  expect(new WebAssembly.Instance(module, one)).toBe(first);
  expect(new WebAssembly.Instance(module, two)).not.toBe(first);
  const empty = new WebAssembly.Module(bytes.subarray(0, 8));
  expect(new WebAssembly.Instance(empty)).not.toBe(new WebAssembly.Instance(empty));
});

test("every method tells the length of the whole gradient before it clips, and which steps it clipped", async () => {
  const free = await (await networkAfter(2, "none", 1, 2)).read();
  const first = free.norms[0] as number;
  for (const name of names) {
    const { norms, losses, clipped } = await (await networkAfter(2, name, 1e-3, 2)).read();
    expect([norms.length, losses.length]).toEqual([2, 2]);
    // All begin with the same weights and the same batch.
    expect(Math.abs((norms[0] as number) / first - 1), name).toBeLessThan(1e-6);
    expect([name, clipped]).toEqual([name, [name !== "none", name !== "none"]]);
  }
});

test.each(names)(
  "no step of %s has a report: a reading asks for the history, which has room for its steps",
  async (name) => {
    Object.assign(asked, { reports: 0, histories: 0, lengths: new Set() });
    const network = await networkAfter(5, name, 1, 5);
    const first = await network.read();
    for (let step = 0; step < 3; step++) await network.step();
    const second = await network.read();
    expect([first.norms.length, second.norms.length, second.losses.length]).toEqual([5, 3, 3]);
    // By value there is no norm: another clip measures it.
    expect(asked).toEqual({ reports: 0, histories: name === "value" ? 4 : 2, lengths: new Set([5]) });
    network.dispose();
  },
);

test("a network whose gradients are not finite has exploded", async () => {
  const network = new Network(digits, { seed: 2, learningRate: 0.1 }, methods.none(), 3);
  for (let step = 0; step < 3; step++) await network.step();
  expect(network.hasExploded).toBe(false);
  const { norms } = await network.read();
  expect(norms.map(Number.isFinite)).toEqual([true, false, false]);
  expect(network.hasExploded).toBe(true);
  network.dispose();
});
