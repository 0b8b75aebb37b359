/** Devices whose queue does not do what it is told: whether the self-test refuses them, and what a report tells of a step. */
import { beforeAll, describe, expect, test } from "vitest";
import { clipByGlobalNorm, createClipper, NoWebGPUError, selfTest } from "../src/index.ts";
import { bench, device as real } from "./support/bench.ts";
import { type Lie, LyingDevices, overridden } from "./support/lyingDevice.ts";
import { refused } from "./support/refused.ts";
import { COPY_DST, COPY_SRC, MAP_READ, STORAGE } from "./support/workbench.ts";

/** What is told of the second step, over [6, 8] after [0.6, 0.8], and what the gradient then is. */
interface Told {
  /** Instead of a report: how the message of an error begins. */
  readonly error?: string;
  readonly norm?: number;
  readonly steps?: number;
  readonly values: readonly number[];
}

interface QueueLie {
  readonly lie: (isLying: () => boolean) => Lie;
  readonly isRefused: boolean;
  /** Submits of nothing, before the step. */
  readonly emptySubmits?: number;
  readonly told: Told;
}

const CLIPPED = [0.6, 0.8];
const WRITTEN = [6, 8];
const RIGHT: Told = { norm: 10, steps: 1, values: CLIPPED };
/** The report of the step before: it says that no step came since. */
const NO_STEP = { norm: 5, steps: 0 };
/** Instead of zeros. */
const NO_REPORT = { error: "There is no report before the first step" };

type Written = Parameters<GPUQueue["writeBuffer"]>;
type Submitted = Iterable<GPUCommandBuffer>;

/** `lies` gets the number of the submit, from 1, and does it in its own way. */
function submits(isLying: () => boolean, lies: (buffers: Submitted, real: GPUQueue, number: number) => void): Lie {
  let number = 0;
  return {
    queue: (queue) => ({
      submit(buffers) {
        if (isLying()) lies(buffers, queue, ++number);
        else queue.submit(buffers);
        return undefined;
      },
    }),
  };
}

const lies: Readonly<Record<string, QueueLie>> = {
  "drops every write": {
    lie: (isLying) => ({
      queue: (queue) => ({ writeBuffer: (...write: Written) => (isLying() ? undefined : queue.writeBuffer(...write)) }),
    }),
    isRefused: true,
    // The report is right: that is what the gradient holds.
    told: { norm: 1, steps: 1, values: CLIPPED },
  },
  "writes after the submit that follows": {
    lie: (isLying) => {
      const late: Written[] = [];
      return {
        queue: (queue) => ({
          writeBuffer: (...write: Written) => (isLying() ? late.push(write) : queue.writeBuffer(...write)),
          submit(buffers) {
            queue.submit(buffers);
            for (const write of late.splice(0)) queue.writeBuffer(...write);
          },
        }),
      } as Lie;
    },
    isRefused: true,
    told: { norm: 1, steps: 1, values: WRITTEN },
  },
  "drops every submit": {
    lie: (isLying) => submits(isLying, () => {}),
    isRefused: true,
    told: { ...NO_REPORT, values: WRITTEN },
  },
  "drops every other submit": {
    lie: (isLying) => submits(isLying, (buffers, queue, number) => number % 2 === 0 && queue.submit(buffers)),
    isRefused: true,
    told: { ...NO_STEP, values: WRITTEN },
  },
  "drops every submit from the 100th on": {
    lie: () =>
      submits(
        () => true,
        (buffers, queue, number) => number < 100 && queue.submit(buffers),
      ),
    isRefused: false,
    emptySubmits: 100,
    told: { ...NO_REPORT, values: WRITTEN },
  },
  "submits the second of two first": {
    lie: (isLying) => {
      let held: Submitted | undefined;
      return submits(isLying, (buffers, queue) => {
        const first = held;
        held = first ? undefined : buffers;
        if (first) for (const each of [buffers, first]) queue.submit(each);
      });
    },
    isRefused: true,
    told: { ...NO_STEP, values: CLIPPED },
  },
  "drops every copy": {
    lie: (isLying) => ({
      device: (device) => ({
        createCommandEncoder(descriptor) {
          const encoder = device.createCommandEncoder(descriptor);
          return isLying() ? overridden(encoder, { copyBufferToBuffer() {} }) : encoder;
        },
      }),
    }),
    isRefused: true,
    told: { ...NO_REPORT, values: CLIPPED },
  },
  "maps the bytes of the copy before": {
    lie: (isLying) => {
      const before = new Map<number, ArrayBuffer>();
      return {
        device: (device) => ({
          createBuffer(descriptor) {
            const buffer = device.createBuffer(descriptor);
            if ((descriptor.usage & MAP_READ) === 0) return buffer;
            const mappedRange = buffer.getMappedRange.bind(buffer);
            const value = () => {
              const now = mappedRange().slice(0);
              const then = before.get(now.byteLength);
              before.set(now.byteLength, now);
              return isLying() && then ? then : now;
            };
            return Object.defineProperty(buffer, "getMappedRange", { value });
          },
        }),
      };
    },
    isRefused: true,
    told: { ...NO_STEP, values: CLIPPED },
  },
};

let devices: LyingDevices;

beforeAll(() => {
  devices = new LyingDevices(real);
});

/** A first step on a device that does as it is told, and a second one on which it lies. */
async function toldBy({ lie, emptySubmits = 0 }: Pick<QueueLie, "lie" | "emptySubmits">): Promise<Told> {
  let lying = false;
  const { device } = devices.device(lie(() => lying));
  const clipper = await createClipper({ device });
  const gradient = bench.buffer([3, 4], { usage: STORAGE | COPY_SRC | COPY_DST });
  const clip = clipper.prepare([gradient], clipByGlobalNorm(1));
  clip.run();
  expect(await clip.report()).toMatchObject({ norm: 5, steps: 1 });
  lying = true;
  device.queue.writeBuffer(gradient, 0, Float32Array.from(WRITTEN));
  for (let i = 0; i < emptySubmits; i++) device.queue.submit([]);
  clip.run();
  const report = await clip.report().catch((error: Error) => error);
  const values = await bench.values(gradient);
  clipper.destroy();
  if (report instanceof Error) return { error: report.message, values };
  const { norm, steps } = report;
  return { norm, steps, values };
}

function expectTold(found: Told, { error, norm, steps, values }: Told): void {
  expect(found.error?.split(";")[0]).toBe(error);
  expect([found.norm, found.steps]).toEqual([norm === undefined ? norm : expect.closeTo(norm, 5), steps]);
  expect(found.values).toEqual(values.map((value) => expect.closeTo(value, 5)));
}

test("a queue that does what it is told", async () => {
  expectTold(await toldBy({ lie: () => ({}) }), RIGHT);
});

describe.each(Object.entries(lies))("a queue that %s", (_, one) => {
  const { lie, isRefused, told } = one;

  test(`is ${isRefused ? "refused" : "not seen"} by the self-test`, async () => {
    const { device } = devices.device(lie(() => true));
    const tried = () => selfTest(device);
    if (isRefused) await refused(tried, NoWebGPUError, /^This GPU failed gradclip's self-test /);
    else await tried();
    await bench.settled();
  });

  test("and what a report tells of a step", async () => {
    expectTold(await toldBy(one), told);
  });
});
