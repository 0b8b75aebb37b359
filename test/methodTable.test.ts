/** The table of docs/methods.md: dispatches are counted on a device, bytes are those of the plan. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { create } from "webgpu";
import { countsFor } from "../bench/counts.ts";
import { checkGradients, readGivenGradients } from "../src/gradients.ts";
import * as gradclip from "../src/index.ts";
import {
  type Axes,
  adaptiveGradClip,
  autoClip,
  type ClipMethod,
  type ClipOptions,
  createClipper,
  type GradientView,
} from "../src/index.ts";
import type { Limits } from "../src/webgpu/dispatches.ts";
import { gridTable } from "../src/webgpu/grid.ts";

const page = readFileSync(new URL("../docs/methods.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| `([^`]+)` \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$/gm)].map((row) => ({
  call: row[1] as string,
  dispatches: Number(row[2]),
  bytes: row.slice(3).map(Number),
}));

const EXAMPLES = 8;
/** Dawn without a driver: it validates everything and runs nothing, which is enough to count. 8 storage buffers. */
const gpu = create(["backend=null"]);
let device: GPUDevice;

beforeAll(async () => {
  const adapter = (await gpu.requestAdapter()) as GPUAdapter;
  device = await adapter.requestDevice();
  // A clipper refuses a device that runs nothing.
  Object.defineProperty(device, "adapterInfo", { value: { vendor: "counted" } });
  expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8);
});

afterAll(() => device.destroy());

/** 74 gradients and their parameters, each in a buffer of its own. */
function gradients(method: ClipMethod): GradientView[] {
  return Array.from({ length: 74 }, (_, k) => {
    const shape = k % 2 === 0 ? [EXAMPLES, 4 * (1 + (k % 7))] : [EXAMPLES];
    const buffer = () =>
      device.createBuffer({ size: 4 * shape.reduce((product, length) => product * length, 1), usage: 0x80 });
    return {
      buffer: buffer(),
      shape,
      parameter: { buffer: buffer() },
      group: k % 2 === 0 ? "encoder" : "head",
      ...(method.accumulate && { into: { buffer: buffer() } }),
    };
  });
}

/** What stands in a row: the method, and the options where it has some. */
function lineOf(call: string): [ClipMethod, ClipOptions?] {
  const names = Object.keys(gradclip);
  const body = new Function(...names, "members", "examples", "last", `return [${call}];`);
  const last: Axes = (shape) => [shape.length - 1];
  return body(...Object.values(gradclip), EXAMPLES, EXAMPLES, last) as [ClipMethod, ClipOptions?];
}

async function countDispatches(list: GradientView[], ...line: [ClipMethod, ClipOptions?]): Promise<number> {
  const clipper = await createClipper({ device });
  const clip = clipper.prepare(list, ...line);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const { dispatchWorkgroups } = pass;
  let count = 0;
  pass.dispatchWorkgroups = (...size) => {
    count += 1;
    dispatchWorkgroups.apply(pass, size);
  };
  clip.encode(pass);
  pass.end();
  encoder.finish();
  clipper.destroy();
  return count;
}

/** Bytes for each float32 element: read where nothing is clipped, read and written where all is. */
function bytesOf(method: ClipMethod, list: GradientView[]): number[] {
  const limits: Limits = { slots: 7, maxBinding: 2 ** 27, grid: gridTable.software };
  const elements = checkGradients(readGivenGradients(list)).tensors.reduce((all, { length }) => all + length, 0);
  const { normReads, scaleReads } = countsFor(list, limits, method);
  const [first, last] = [normReads / elements, scaleReads / elements];
  if (method.limits) return [first, first, first];
  if (method.examples) {
    const sum = last / method.examples;
    const read = first + last + (method.accumulate ? sum : 0);
    return [read, read, sum];
  }
  return [first, first + last, last];
}

describe.each(rows)("$call", ({ call, dispatches, bytes }) => {
  test("takes as many dispatches for 74 gradients as the page says", async () => {
    const line = lineOf(call);
    expect(await countDispatches(gradients(line[0]), ...line)).toBe(dispatches);
  });

  test("reads and writes as many bytes for each element as the page says", () => {
    const [method] = lineOf(call);
    expect(bytesOf(method, gradients(method))).toEqual(bytes);
  });
});

test("every method has a row", () => {
  const isMethodMaker = (name: string) =>
    /^(clip[A-Z]\w*By|clipBy|clipPer|ada|auto|z|normalize|measure)\w*$/.test(name);
  const makers = Object.keys(gradclip).filter(isMethodMaker);
  expect(makers).toContain(adaptiveGradClip.name);
  expect(makers).toContain(autoClip.name);
  expect([...new Set(rows.map(({ call }) => call.replace(/\(.*/, "")))].sort()).toEqual(makers.sort());
});
