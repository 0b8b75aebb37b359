import type { Optimizer, Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { shown } from "../check.ts";
import { clipByGlobalNorm } from "../methods/clipByGlobalNorm.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipReport } from "../record.ts";
import { type AdapterOptions, Clips, type ReportOptions, refuseOtherDtype } from "./clips.ts";

/** A TensorFlow.js optimizer that clips. */
export type ClippingOptimizer<T extends Optimizer> = T & {
  readonly clip: {
    /**
     * Reports on the last step. Names are those of the variables. Submits the commands that TensorFlow.js has recorded.
     * @throws (as a rejection) Error before the first step, and as `Clip.report` does.
     */
    report(options?: ReportOptions): Promise<ClipReport>;
  };
};

/**
 * Makes a TensorFlow.js optimizer clip gradients before it applies them, in `minimize`, `applyGradients` and `model.fit`. It
 * changes the optimizer itself and returns it. The optimizer of a loaded model works too.
 *
 * On the WebGPU backend the gradients are clipped in place, in TensorFlow.js's own command encoder, without a submit, a copy or a
 * read-back. A gradient that another tensor still shares does not change, and a clipped copy is applied. On any other backend the
 * gradients are read, clipped on the CPU and written to new tensors. `optimizer.dispose()` frees all of it.
 *
 * A method that uses parameters, such as `adaptiveGradClip`, gets the variables with the gradients' names. A step throws a
 * TypeError for a gradient without such a variable, and for one that is not a float32 tensor, before anything is clipped or
 * applied.
 *
 * @throws TypeError for a value that is not an optimizer, already clips or has its own `clip`; for `measureNorm` and
 * `clipPerExample`; and as `Clipper.prepare` does for the method and options.
 */
export function withClipping<T extends Optimizer>(
  optimizer: T,
  method: ClipMethod = clipByGlobalNorm(1),
  options?: AdapterOptions,
): ClippingOptimizer<T> {
  const { applyGradients, dispose: disposeOptimizer } = (optimizer ?? {}) as unknown as Replaced;
  if (typeof applyGradients !== "function") {
    throw new TypeError(`optimizer is ${shown(optimizer)}; pass one of TensorFlow.js, such as tf.train.adam(0.001).`);
  }
  if (clipping.has(optimizer)) throw new TypeError("The optimizer clips already; pass one that does not.");
  if ("clip" in optimizer) {
    throw new TypeError(
      `optimizer.clip is ${shown(optimizer.clip)}, where withClipping puts what it reports; rename that property.`,
    );
  }
  const clips = new Clips(method, options, "withClipping");
  let submit = () => {};
  clipping.add(optimizer);

  return Object.assign(optimizer, {
    clip: {
      async report(options?: ReportOptions) {
        submit();
        return clips.report(options);
      },
    },
    applyGradients(given: Gradients, ...more: unknown[]) {
      const list = Array.isArray(given) ? given : Object.keys(given).map((name) => ({ name, tensor: given[name] }));
      for (const gradient of list) refuseOther(gradient);
      const gradients = method.usesParameters ? list.map((gradient) => withVariable(gradient, method.name)) : list;
      const gpu = tf.getBackend() === "webgpu" && (tf.backend() as unknown as WebGPUBackend);
      if (gpu) submit = () => submitQueue(gpu);
      const clipped = [...gradients];
      const made = () => clipped.filter((gradient, i) => gradient !== gradients[i]);
      const asMap = () => Object.fromEntries(clipped.map(({ name, tensor }) => [name, tensor]));
      try {
        if (gpu) clipOnGPU(gpu, clipped, clips);
        else clipOnCPU(clipped, clips);
        if (made().length === 0) return applyGradients.call(optimizer, given, ...more);
        return applyGradients.call(optimizer, Array.isArray(given) ? clipped : asMap(), ...more);
      } finally {
        for (const { tensor } of made()) tensor?.dispose();
      }
    },
    dispose(...how: unknown[]) {
      // Recorded commands still need the buffers that are freed next.
      submit();
      clips.destroy();
      return disposeOptimizer.call(optimizer, ...how);
    },
  });
}

/** These methods of a user's own optimizer may take and return more than those of TensorFlow.js. */
interface Replaced {
  applyGradients(gradients: Gradients, ...more: unknown[]): unknown;
  dispose(...how: unknown[]): unknown;
}

/** The optimizers that clip. */
const clipping = new WeakSet<Optimizer>();

/** A variable that the loss does not reach has no tensor. */
interface Gradient {
  name: string;
  tensor?: Tensor | null;
  /** Present for a method that uses parameters. */
  variable?: Tensor;
}

type Gradients = Gradient[] | Readonly<Record<string, Gradient["tensor"]>>;

/** The members of tfjs-backend-webgpu 4.22 that are used; the last three are private there. */
interface WebGPUBackend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(dataId: object): { resource?: GPUBuffer; values: unknown; refCount: number } };
  uploadToGPU(dataId: object): void;
  makeTensorInfo(shape: number[], dtype: "float32"): TensorInfo;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  readonly commandEncoder: GPUCommandEncoder;
  readonly computePassEncoder: GPUComputePassEncoder | null;
  readonly commandQueueOwnedIds: WeakSet<object>;
}

function refuseOther({ name, tensor }: Gradient): void {
  if (tensor === null || tensor === undefined) return;
  const label = `The gradient ${JSON.stringify(name)}`;
  if (!(tensor instanceof tf.Tensor)) {
    throw new TypeError(`${label} is ${shown(tensor)}; pass a tensor of TensorFlow.js.`);
  }
  if (tensor.isDisposed) throw new TypeError(`${label} is disposed; clip it before that.`);
  refuseOtherDtype(tensor.dtype, label);
}

function withVariable({ name, tensor }: Gradient, method: string): Gradient {
  const variable = tf.engine().registeredVariables[name];
  if (variable) refuseOtherDtype(variable.dtype, `The variable ${JSON.stringify(name)}`);
  if (!tensor || variable?.size === tensor.size) return { name, tensor, variable };
  const found = variable ? `its variable has shape [${variable.shape}]` : "there is no variable of that name";
  throw new TypeError(
    `The gradient ${JSON.stringify(name)} has shape [${tensor.shape}], but ${found}; ${method} needs the variable that a gradient is of.`,
  );
}

/** Replaces a gradient in the list by another tensor if its own may not be written. */
function clipOnGPU(gpu: WebGPUBackend, gradients: Gradient[], clips: Clips): void {
  const given = [...gradients];
  const dataOf = ({ dataId }: Tensor) => {
    const data = gpu.tensorMap.get(dataId);
    if (!data.resource) gpu.uploadToGPU(dataId); // A small tensor may be on the CPU only.
    gpu.commandQueueOwnedIds.add(dataId); // Keeps its buffer from reuse before the submit.
    return data as typeof data & { resource: GPUBuffer };
  };
  const dataInstead = (i: number, tensor: Tensor) => {
    gradients[i] = { name: given[i]?.name as string, tensor };
    return dataOf(tensor);
  };
  const views = given.map(({ name, tensor, variable }, i) => {
    if (!tensor?.size) return null;
    const { shape, size: length } = tensor;
    let source = dataOf(tensor);
    // The gradient of x + y belongs to two variables and has a bound for each.
    if (variable && source.refCount > 1) source = dataInstead(i, tf.mul(tensor, 1));
    let target = source;
    if (source.refCount > 1 && source.refCount > holdersIn(given, tensor)) {
      const info = gpu.makeTensorInfo(shape, "float32");
      target = dataInstead(i, tf.engine().makeTensorFromTensorInfo(info));
    }
    target.values = null; // Values that were read before are out of date.
    const into = target === source ? undefined : { buffer: target.resource };
    const parameter = variable && { buffer: dataOf(variable).resource };
    return { name, shape, length, buffer: source.resource, into, parameter };
  });
  const clip = clips.for(views, gpu.device);
  gpu.ensureCommandEncoderReady();
  clip.encode(gpu.computePassEncoder ?? gpu.commandEncoder, views);
}

/** The number of tensors that share these values. */
function holdersIn(gradients: Gradient[], { dataId }: Tensor): number {
  return new Set(gradients.map(({ tensor }) => tensor).filter((tensor) => tensor?.dataId === dataId)).size;
}

/** Replaces the gradients in the list by new tensors. */
function clipOnCPU(gradients: Gradient[], clips: Clips): void {
  const views = gradients.map(({ name, tensor, variable }) => {
    if (!tensor?.size) return null;
    const parameter = variable && { buffer: variable.dataSync<"float32">() };
    // The cpu backend returns the array that it computes with.
    return { name, shape: tensor.shape, length: tensor.size, buffer: tensor.dataSync<"float32">().slice(), parameter };
  });
  clips.for(views).run(views);
  views.forEach((view, i) => {
    if (view) gradients[i] = { name: view.name, tensor: tf.tensor(view.buffer, view.shape) };
  });
}

/** Without an encoder submitQueue would throw; an empty encoder is fine. */
function submitQueue(gpu: WebGPUBackend): void {
  gpu.endComputePassEncoder();
  gpu.ensureCommandEncoderReady();
  gpu.submitQueue();
}
