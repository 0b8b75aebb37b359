import type { NamedTensorMap, Optimizer, Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { options as readOptions, shown } from "../check.ts";
import { clipByGlobalNorm } from "../methods/clipByGlobalNorm.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipReport } from "../record.ts";
import { type AdapterOptions, Clips, type ReportOptions } from "./clips.ts";

/** An optimizer of TensorFlow.js that clips. */
export type ClippingOptimizer<T extends Optimizer> = T & {
  readonly clip: {
    /**
     * What the last step found and did; names are those of the variables. Submits what TensorFlow.js has not submitted yet.
     * @throws (as a rejection) Error before the first step, and as `Clip.report` does.
     */
    report(options?: ReportOptions): Promise<ClipReport>;
  };
};

/**
 * Makes a TensorFlow.js optimizer clip gradients before it applies them: in `minimize`, `applyGradients` and `model.fit`.
 * The optimizer itself is changed and returned, so that the one that a loaded model brings can be given too.
 *
 * On the WebGPU backend the gradients are clipped in place, in TensorFlow.js's own command encoder: no submit, no copy,
 * nothing read back. A gradient that somebody else still holds is left alone, and a clipped one applied. On any other
 * backend they are read, clipped on the CPU and written to new tensors. `optimizer.dispose()` frees all of it.
 *
 * @throws TypeError for what is no optimizer or clips already, and as `Clipper.prepare` does for the method and options.
 */
export function withClipping<T extends Optimizer>(
  optimizer: T,
  method: ClipMethod = clipByGlobalNorm(1),
  options?: AdapterOptions,
): ClippingOptimizer<T> {
  const { applyGradients, dispose: disposeOptimizer } = (optimizer ?? {}) as T;
  if (typeof applyGradients !== "function") {
    throw new TypeError(`optimizer is ${shown(optimizer)}; pass one of TensorFlow.js, such as tf.train.adam(0.001).`);
  }
  if ("clip" in optimizer) throw new TypeError("The optimizer clips already; pass one that does not.");
  readOptions(options, "withClipping's options", ["nonFinite", "gradScale"]);
  const clips = new Clips(method, options);
  let submit = () => {};

  return Object.assign(optimizer, {
    clip: {
      async report(options?: ReportOptions) {
        submit();
        return clips.report(options);
      },
    },
    applyGradients(given: NamedTensorMap | Gradient[]) {
      const gradients = Array.isArray(given)
        ? given
        : Object.entries(given).map(([name, tensor]) => ({ name, tensor }));
      let clipped: Gradient[];
      if (tf.getBackend() === "webgpu") {
        const gpu = tf.backend() as unknown as WebGPUBackend;
        submit = () => submitQueue(gpu);
        clipped = clipOnGPU(gpu, gradients, clips);
      } else {
        clipped = clipOnCPU(gradients, clips);
      }
      const asMap = () => Object.fromEntries(clipped.map(({ name, tensor }) => [name, tensor]));
      try {
        applyGradients.call(optimizer, (Array.isArray(given) ? clipped : asMap()) as NamedTensorMap);
      } finally {
        tf.dispose(clipped.flatMap(({ tensor }, i) => (tensor && tensor !== gradients[i]?.tensor ? [tensor] : [])));
      }
    },
    dispose() {
      // What is recorded but not submitted needs the buffers that go.
      submit();
      clips.destroy();
      disposeOptimizer.call(optimizer);
    },
  });
}

/** A variable that the loss does not reach has no tensor. */
interface Gradient {
  name: string;
  tensor?: Tensor | null;
}

/** What is used of tfjs-backend-webgpu 4.22; the last three are private there. */
interface WebGPUBackend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(dataId: object): { resource?: GPUBuffer; values: unknown } };
  uploadToGPU(dataId: object): void;
  refCount(dataId: object): number;
  makeTensorInfo(shape: number[], dtype: "float32"): TensorInfo;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  readonly commandEncoder: GPUCommandEncoder;
  readonly computePassEncoder: GPUComputePassEncoder | null;
  readonly commandQueueOwnedIds: WeakSet<object>;
}

function clipOnGPU(gpu: WebGPUBackend, gradients: Gradient[], clips: Clips): Gradient[] {
  const bufferOf = ({ dataId }: Tensor) => {
    gpu.uploadToGPU(dataId); // A small tensor may be on the CPU only.
    gpu.commandQueueOwnedIds.add(dataId); // Its buffer is not given away before the submit.
    const data = gpu.tensorMap.get(dataId);
    data.values = null; // What was read before is not what follows.
    return data.resource as GPUBuffer;
  };
  const holders = new Map<object, number>();
  for (const tensor of new Set(gradients.map(({ tensor }) => tensor))) {
    if (tensor) holders.set(tensor.dataId, (holders.get(tensor.dataId) ?? 0) + 1);
  }
  const clipped = gradients.map(({ name, tensor }) => {
    const isShared = tensor?.size && gpu.refCount(tensor.dataId) > (holders.get(tensor.dataId) ?? 0);
    if (!isShared) return { name, tensor };
    return { name, tensor: tf.engine().makeTensorFromTensorInfo(gpu.makeTensorInfo(tensor.shape, "float32")) };
  });
  const views = gradients.map(({ name, tensor }, i) => {
    if (!tensor?.size) return null;
    const target = clipped[i]?.tensor as Tensor;
    const into = target === tensor ? undefined : { buffer: bufferOf(target) };
    return { name, shape: tensor.shape, length: tensor.size, buffer: bufferOf(tensor), into };
  });
  const clip = clips.for(views, gpu.device);
  gpu.ensureCommandEncoderReady();
  clip.encode(gpu.computePassEncoder ?? gpu.commandEncoder, views);
  return clipped;
}

function clipOnCPU(gradients: Gradient[], clips: Clips): Gradient[] {
  const views = gradients.map(({ name, tensor }) => {
    if (!tensor?.size) return null;
    // The cpu backend gives the array that it computes with.
    return { name, shape: tensor.shape, length: tensor.size, buffer: tensor.dataSync<"float32">().slice() };
  });
  clips.for(views).run(views);
  return gradients.map(({ name, tensor }, i) => {
    const view = views[i];
    return { name, tensor: view ? tf.tensor(view.buffer, view.shape) : tensor };
  });
}

/** Without an encoder it would throw; one with nothing in it is fine. */
function submitQueue(gpu: WebGPUBackend): void {
  gpu.endComputePassEncoder();
  gpu.ensureCommandEncoderReady();
  gpu.submitQueue();
}
