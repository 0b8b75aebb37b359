/** The self-test: a device that computes rightly passes, and one that lies about anything it runs does not. */
import { beforeAll, describe, expect, test } from "vitest";
import { DeviceLostError, NoWebGPUError, selfTest } from "../src/index.ts";
import { bench, device } from "./support/bench.ts";
import { FOLD } from "./support/kernelLies.ts";
import { type Lie, LyingDevices, overridden, type ShaderLie } from "./support/lyingDevice.ts";
import { refused } from "./support/refused.ts";
import { newDevice } from "./support/workbench.ts";

let devices: LyingDevices;

beforeAll(() => {
  devices = new LyingDevices(device);
});

const NON_FINITE = /if \(bits >= INFINITY_BITS\)/g;

const norm: Record<string, ShaderLie> = {
  "whose plain sums are 0": [/stretch \+= .*;/g, "stretch += Values();"],
  "whose plain sums lack one load of four": [/\(word_terms\(c\) \+ word_terms\(d\)\)/g, "word_terms(c)"],
  "whose plain sums forget all but the last stretch": [
    /total = added\(total, (wide_sum\(stretch \+ rest\))\);/g,
    "total = $1;",
  ],
  "whose plain sums lack the rest behind whole tiles": [/rest \+= word_terms\(a\);/g, ""],
  "whose exact sums are 0": [/\(\*mine\)\.sum = added\(.*\);/g, ""],
  "whose exact sums keep the last value of a word": [
    /\(\*mine\)\.sum = added\(\(\*mine\)\.sum, (wide\(term\))\);/g,
    "(*mine).sum = select((*mine).sum, $1, all($1 != Sum()));",
  ],
  "whose largest value ignores one load of four": [/max\(magnitude\(c\), magnitude\(d\)\)/g, "magnitude(c)"],
  "whose largest value ignores the rest behind whole tiles": [/largest = max\(largest, magnitude\(a\)\);/g, ""],
  "that flushes subnormal values": [
    /return exact_term\(bits\);/g,
    "return exact_term(select(bits, 0u, bits < 0x00800000u));",
  ],
  "that loses what half of the lanes found": [/found\[lane\] = mine;/g, "if (lane < 2u) { found[lane] = mine; }"],
  "that leaves out the last round of a fold": FOLD,
};

const nonFinite: Record<string, ShaderLie> = {
  infinities: [NON_FINITE, "if (bits > INFINITY_BITS)"],
  "quiet NaN": [NON_FINITE, "if (bits >= INFINITY_BITS && bits < 0x7fc00000u)"],
  "signalling NaN": [NON_FINITE, "if (bits == INFINITY_BITS || bits >= 0x7fc00000u)"],
  "NaN whose payload is in the low bits": [NON_FINITE, "if (bits == INFINITY_BITS || bits > 0x7f80ffffu)"],
  "the NaN of all ones": [NON_FINITE, "if (bits >= INFINITY_BITS && bits != 0x7fffffffu)"],
  "negative infinities": [
    /let bits = element_of\(word, k\) & 0x7fffffffu;/g,
    "let all = element_of(word, k); let bits = select(all & 0x7fffffffu, 0u, all == 0xff800000u);",
  ],
  "negative NaN": [
    /let bits = element_of\(word, k\) & 0x7fffffffu;/g,
    "let all = element_of(word, k); let bits = select(all & 0x7fffffffu, 0u, all > 0xff800000u);",
  ],
};

const told: Record<string, ShaderLie> = {
  "NaN as infinities": [/select\(INFINITY_SEEN, NAN_SEEN, bits > INFINITY_BITS\)/g, "INFINITY_SEEN"],
  "NaN with low bits as infinities": [
    /select\(INFINITY_SEEN, NAN_SEEN, bits > INFINITY_BITS\)/g,
    "select(INFINITY_SEEN, NAN_SEEN, bits > 0x7f80000fu)",
  ],
  "infinities as NaN": [/select\(INFINITY_SEEN, NAN_SEEN, bits > INFINITY_BITS\)/g, "NAN_SEEN"],
  "another element as the first": [/element_number\(segment, i\) \+ k/g, "element_number(segment, i)"],
  "no flag of some lanes": [/a\.flags \| b\.flags/g, "b.flags"],
};

const finish: Record<string, ShaderLie> = {
  "sees the partials of the first workgroups only": [
    /let a = partials\[i\];/g,
    "var a = nothing(); if (i < 2u) { a = partials[i]; }",
  ],
  "loses digits of a root": [/let digits = \(first << 14u\) \+ .*;/g, "let digits = first << 14u;"],
  "loses digits of a quotient": [/let digits = \(first\.x << 13u\) \+ second\.x;/g, "let digits = first.x << 13u;"],
  "clips what is at the bound": [
    /var clipped = bounded && exceeds\(divisor, bound\);/g,
    "var clipped = bounded && !exceeds(bound, divisor);",
  ],
  "does not flag what is clipped": [/select\(0u, CLIPPED, clipped\)/g, "0u"],
  "does not flag what is skipped": [/decision\.flags \|= SKIP;/g, ""],
  "counts no clipped steps": [/record\.clippedSteps \+=/g, "record.clippedSteps = 0u *"],
};

const scale: Record<string, ShaderLie> = {
  "a quarter of the words twice": [/fast_word\(b, factor/g, "fast_word(b, factor * factor"],
  "a quarter of the words doubled": [/fast_word\(c, factor/g, "fast_word(c, 2.0 * factor"],
  "words one place off": [/(\w+)\[i \+ shift\] = fast_word\(a/g, "$1[i + shift + 1u] = fast_word(a"],
  "one word for another": [/fast_word\(b, /g, "fast_word(a, "],
  "no word of one load of four": [/\w+\[i \+ shift \+ 3u \* WORKGROUP\] = .*;/g, ""],
  "no word behind whole tiles": [/\w+\[i \+ shift\] = fast_word\(read_\d+\(i\).*;/g, ""],
  "no word that needs care": [/set_word\(segment\.slot, i \+ shift, word\);/g, ""],
  "no last value of a word that needs care": [
    /k < ELEMENTS; (k = \(k \+ 1u\) % 16u\) \{\s*word)/g,
    "k + 1u < max(ELEMENTS, 2u); $1",
  ],
  "subnormal values as 0": [/f32\(magnitude\) \* 0x1p-24f \* factor/g, "0.0 * factor"],
};

async function expectRefused({ device, spoilt }: ReturnType<LyingDevices["device"]>): Promise<void> {
  await refused(
    () => selfTest(device),
    NoWebGPUError,
    /^This GPU failed gradclip's self-test \(.*\); update its driver, or use the CPU\.$/,
  );
  expect(spoilt(), "shaders in which the pattern was found").toBeGreaterThan(0);
  await bench.tidy();
}

/** Each spoils one kernel, as a lie in one is harder to find than in all: that of words of 4 bytes, which compiles in less time. */
const rows = Object.entries({
  norm: { kernel: "norm l2 f32 u32", group: norm },
  "does not see": { kernel: "norm l2 f32 u32", group: nonFinite },
  tells: { kernel: "norm l2 f32 u32", group: told },
  finish: { kernel: "finish l2 global", group: finish },
  scales: { kernel: "scale in-place f32 u32", group: scale },
});

/** These need words of several values. */
const wide = new Set(["tells: another element as the first", "scales: no last value of a word that needs care"]);

describe("a device is refused whose shader", () => {
  const lies = rows.flatMap(([kind, { kernel, group }]) =>
    Object.entries(group).map(([name, lie]) => [`${kind}: ${name}`, kernel, lie] as const),
  );

  test.each(lies)("%s", async (title, narrow, lie) => {
    const kernel = wide.has(title) ? narrow.replace("u32", "vec4") : narrow;
    await expectRefused(devices.device({ kernel, shaders: [lie] }));
  });

  test("norm: that reads one binding for another", async () => {
    const lie: ShaderLie = [/gradients_1\[/g, "gradients_0["];
    await expectRefused(new LyingDevices(device, 3).device({ shaders: [lie] }));
  });
});

/** Encoders whose passes and copies go through `change`. */
function encoders(change: (encoder: GPUCommandEncoder) => object) {
  return (real: GPUDevice) => ({
    createCommandEncoder: (descriptor: GPUObjectDescriptorBase) => {
      const encoder = real.createCommandEncoder(descriptor);
      return overridden(encoder, change(encoder));
    },
  });
}

function passes(change: (pass: GPUComputePassEncoder) => object): Lie["device"] {
  return encoders((encoder) => ({
    beginComputePass: (descriptor: GPUComputePassDescriptor) => {
      const pass = encoder.beginComputePass(descriptor);
      return overridden(pass, change(pass));
    },
  })) as Lie["device"];
}

type Offsets = [Uint32Array, number, number];

/** setBindGroup with other dynamic offsets. */
function offsets(of: (given: Uint32Array) => Uint32Array): Lie["device"] {
  return passes((pass) => ({
    setBindGroup: (index: number, group: GPUBindGroup, ...given: Offsets | []) => {
      if (given.length === 0) return pass.setBindGroup(index, group);
      const [values, start, count] = given;
      return pass.setBindGroup(index, group, of(values), start, count);
    },
  }));
}

let firstOffsets: Uint32Array | undefined;
let submits = 0;
let held: Iterable<GPUCommandBuffer> | undefined;

const others: Record<string, () => Lie> = {
  "ignores dynamic offsets": () => ({ device: offsets(() => new Uint32Array(8)) }),
  "ignores the last dynamic offset": () => ({
    device: offsets((given) => Uint32Array.from(given, (v, i) => (i === 7 ? 0 : v))),
  }),
  "keeps the first dynamic offsets": () => {
    firstOffsets = undefined;
    return { device: offsets((given) => (firstOffsets ??= given.slice())) };
  },
  "drops every submit": () => ({ queue: () => ({ submit() {} }) }),
  "drops one submit": () => {
    submits = 0;
    return { queue: (real) => ({ submit: (buffers) => (++submits === 7 ? undefined : real.submit(buffers)) }) };
  },
  "submits in another order": () => {
    held = undefined;
    return {
      queue: (real) => ({
        submit(buffers) {
          const last = held;
          held = last ? undefined : buffers;
          if (last) for (const each of [buffers, last]) real.submit(each);
        },
      }),
    };
  },
  "copies what was there before": () => ({
    device: encoders((encoder) => ({
      copyBufferToBuffer: (source: GPUBuffer, from: number, target: GPUBuffer, to: number, size: number) =>
        encoder.copyBufferToBuffer(source, from, target, to, to === 0 ? size : 0),
    })) as Lie["device"],
  }),
  "drops the last dispatch": () => ({
    device: passes((pass) => ({ dispatchWorkgroups: (count: number) => count > 1 && pass.dispatchWorkgroups(count) })),
  }),
  "runs one workgroup fewer": () => ({
    device: passes((pass) => ({
      dispatchWorkgroups: (count: number) => pass.dispatchWorkgroups(Math.max(1, count - 1)),
    })),
  }),
  "writes half of what it is given": () => ({
    queue: (real) => ({
      writeBuffer: (buffer: GPUBuffer, at: number, data: Float32Array<ArrayBuffer>, start: number, size: number) =>
        real.writeBuffer(buffer, at, data, start, size >> 1),
    }),
  }),
};

test.each(Object.entries(others))("a device is refused that %s", async (_, lie) => {
  const { device } = devices.device(lie());
  await refused(
    () => selfTest(device),
    NoWebGPUError,
    /^This GPU failed gradclip's self-test \(.*\); update its driver, or use the CPU\.$/s,
  );
  await bench.tidy();
});

test("a device that failed is tried again when it is asked again", async () => {
  const { device } = devices.device(others["drops one submit"]?.() as Lie);
  await refused(() => selfTest(device), NoWebGPUError, /^This GPU failed gradclip's self-test/);
  await selfTest(device);
  await bench.tidy();
});

describe("a device that computes rightly", () => {
  test("passes, once, and is left as it was", async () => {
    const before = [...bench.live.values()];
    const uncaptured: string[] = [];
    const { device } = devices.device({});
    await Promise.all([selfTest(device), selfTest(device)]);
    expect([...bench.live.values()]).toEqual(before);
    const [modules, submitted] = [bench.count("createShaderModule"), bench.count("submit")];
    await selfTest(device);
    expect([bench.count("createShaderModule"), bench.count("submit")]).toEqual([modules, submitted]);
    expect(bench.deviceDestroyed).toBe(0);
    expect(uncaptured).toEqual([]);
    await bench.tidy();
  });

  test("compiles five pipelines: norm and scale of words of 16 and of 4 bytes, and finish", async () => {
    const labels: string[] = [];
    const { device } = devices.device({});
    const counted = overridden(device, {
      createComputePipelineAsync: (descriptor: GPUComputePipelineDescriptor) => {
        labels.push(descriptor.label ?? "");
        return device.createComputePipelineAsync(descriptor);
      },
    });
    await selfTest(counted);
    expect(labels).toHaveLength(5);
  });
});

test.each([undefined, null, 5, {}, "gpu"])("no device is refused: %s", async (value) => {
  await refused(() => selfTest(value as never), TypeError, /^selfTest's device is .*; pass a GPUDevice\.$/);
});

test("a device that is lost is no wrong one", async () => {
  const device = await newDevice();
  device.destroy();
  const error = await refused(() => selfTest(device), DeviceLostError, /^The GPU device was lost \(destroyed/);
  expect(error).toMatchObject({ gradientsState: "unchanged" });
});
