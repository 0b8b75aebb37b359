/** A page's functions for its test: one of two browsers that train together, or one that trains alone. */
import * as gradclip from "gradclip";
import * as peerjs from "peerjs";
import { withFewBuffers } from "../engines/fewBuffers.mjs";
import { allExamples, gradientsOf, initialWeights, lengths, maxNorm, rate, steps } from "./task.ts";

/** The bodies of the examples of docs/engines.md. */
export interface Examples {
  channel: string;
  dataParallel: string;
  sharded: string;
}

export interface Started {
  name: string;
  /** Whom it calls. */
  other?: string;
  port: number;
  patience: number;
  /** The step in which it stops after its first message, and waits to be killed. */
  stopsIn?: number;
}

export interface Result {
  weights: number[][];
  /** Those at the beginning of the last step. */
  before: number[][];
  report?: gradclip.ClipReport;
  error?: string;
}

type Exchange = (values: Float32Array, count?: number) => Promise<Float32Array>;

let weights = initialWeights();
let step = 0;
let before: number[][] = [];
/** One for all trainings of the page, so that it compiles once. */
const ownDevice = navigator.gpu
  .requestAdapter()
  .then((adapter) => (adapter as GPUAdapter).requestDevice())
  .then((device) => withFewBuffers(device, 2));
let channel: { exchange: Exchange; connection: peerjs.DataConnection };

/** What an example gives, run with the reader's variables. */
function run<T>(body: string, context: Record<string, unknown>, result: string): Promise<T> {
  const names = Object.keys(context);
  const code = `return (async () => { ${body}\nreturn ${result}; })()`;
  return new Function("packages", ...names, code)({ gradclip, peerjs }, ...names.map((name) => context[name]));
}

async function connect(examples: Examples, { stopsIn, ...started }: Started): Promise<void> {
  const context = { host: location.hostname, other: undefined, ...started };
  channel = await run(examples.channel, context, "{ exchange, connection }");
  if (stopsIn === undefined) return;
  const send = channel.connection.send.bind(channel.connection);
  let isStopped = false;
  channel.connection.send = (message) => {
    if (!isStopped) void send(message);
    isStopped = step >= stopsIn;
    if (isStopped) document.title = "stopped";
  };
}

/** The gradients of some layers on the GPU, and what an example needs of the reader. */
async function onGPU(layers: readonly number[], examples: readonly number[]) {
  const device = await ownDevice;
  weights = initialWeights();
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const gradients = layers.map((layer) => device.createBuffer({ size: 4 * (lengths[layer] as number), usage }));
  const write = (values: Float32Array<ArrayBuffer>) => {
    let first = 0;
    for (const buffer of gradients) {
      device.queue.writeBuffer(buffer, 0, values, first, buffer.size / 4);
      first += buffer.size / 4;
    }
  };
  const read = async () => Float32Array.from((await Promise.all(gradients.map((b) => floatsIn(device, b)))).flat());
  const backward = async (now: number) => {
    step = now;
    document.title = `step ${step}`;
    before = weights.map((layer) => [...layer]);
    const all = gradientsOf(weights, examples);
    write(Float32Array.from(layers.flatMap((layer) => all[layer] as number[])));
  };
  const updated = async () => {
    const clipped = await read();
    const current = layers.flatMap((layer) => [...(weights[layer] as Float32Array)]);
    return Float32Array.from(current, (weight, i) => weight - rate * (clipped[i] as number));
  };
  return { device, gradients, write, read, backward, updated };
}

async function floatsIn(device: GPUDevice, buffer: GPUBuffer): Promise<number[]> {
  const staging = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const values = [...new Float32Array(staging.getMappedRange())];
  staging.destroy();
  return values;
}

function setLayers(layers: readonly number[], values: Float32Array): void {
  let first = 0;
  for (const layer of layers) {
    const own = weights[layer] as Float32Array;
    own.set(values.subarray(first, first + own.length));
    first += own.length;
  }
}

async function ended(work: Promise<gradclip.ClipReport>): Promise<Result> {
  const rest: Partial<Result> = await work.then(
    (report) => ({ report }),
    (error) => ({ error: String(error) }),
  );
  return { weights: weights.map((layer) => [...layer]), before, ...rest };
}

async function trainInParallel(body: string, half: 0 | 1): Promise<Result> {
  const own = allExamples.filter((example) => example % 2 === half);
  const onDevice = await onGPU([0, 1], own);
  const update = async () => setLayers([0, 1], await onDevice.updated());
  return ended(run(body, { ...onDevice, update, exchange: channel.exchange, maxNorm, steps }, "report"));
}

async function trainSharded(body: string, layer: 0 | 1): Promise<Result> {
  const onDevice = await onGPU([layer], allExamples);
  const other = 1 - layer;
  const setWeights = (own: Float32Array, others: Float32Array) => {
    setLayers([layer], own);
    setLayers([other], others);
  };
  const context = { ...onDevice, setWeights, exchange: channel.exchange, otherCount: lengths[other], maxNorm, steps };
  return ended(run(body, context, "report"));
}

async function trainAlone(): Promise<Result> {
  const { device, gradients, backward, updated } = await onGPU([0, 1], allExamples);
  const clipper = await gradclip.createClipper({ device });
  const clip = clipper.prepare(gradients, gradclip.clipByGlobalNorm(maxNorm));
  // What runs before compiles every kernel a second time.
  await clip.ready;
  const train = async () => {
    for (let now = 0; now < steps; now++) {
      await backward(now);
      clip.run();
      setLayers([0, 1], await updated());
    }
    return clip.report();
  };
  return ended(train());
}

const peers = { connect, trainInParallel, trainSharded, trainAlone };

declare global {
  var peersInPage: typeof peers | undefined;
}

globalThis.peersInPage = peers;
