import {
  backend,
  dispose,
  engine,
  getBackend,
  type NamedTensorMap,
  type Optimizer,
  type Tensor,
  tensor as tensorOf,
} from "@tensorflow/tfjs-core";
import { options as readOptions, shown } from "../check.ts";
import type { GradientView } from "../gradients.ts";
import { clipByGlobalNorm } from "../methods/clipByGlobalNorm.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipReport } from "../record.ts";
import { type AdapterOptions, Clips, type ReportOptions } from "./clips.ts";

/** What applyGradients takes a list of; a variable that the loss does not reach has no tensor. */
interface NamedTensor {
  name: string;
  tensor: Tensor;
}

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
 * Makes a TensorFlow.js optimizer clip the gradients before it applies them: in `minimize`, `applyGradients` and
 * `model.fit`. The optimizer itself is changed and returned, so that one that a loaded model brings can be given too.
 *
 * On the WebGPU backend the gradients are clipped in place and in TensorFlow.js's own command encoder, with no submit and
 * nothing read back; a gradient whose values somebody else still holds is left alone and a clipped one applied. On any
 * other backend the gradients are read, clipped on the CPU and written to new tensors. `optimizer.dispose()` frees all.
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
  let flush = () => {};

  return Object.assign(optimizer, {
    clip: {
      async report(options?: ReportOptions) {
        flush();
        return clips.report(options);
      },
    },
    applyGradients(gradients: NamedTensorMap | NamedTensor[]) {
      const isList = Array.isArray(gradients);
      const given = isList ? gradients : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
      let clipped: NamedTensor[];
      if (getBackend() === "webgpu") {
        const gpu = backend() as unknown as WebGPUBackend;
        flush = () => submit(gpu);
        clipped = clipOnGPU(gpu, given, clips);
      } else {
        clipped = clipOnCPU(given, clips);
      }
      try {
        const entries = clipped.map(({ name, tensor }) => [name, tensor]);
        applyGradients.call(optimizer, isList ? clipped : Object.fromEntries(entries));
      } finally {
        dispose(clipped.flatMap(({ tensor }, i) => (tensor && tensor !== given[i]?.tensor ? [tensor] : [])));
      }
    },
    dispose() {
      // What is recorded may not lose its buffers.
      flush();
      clips.destroy();
      disposeOptimizer.call(optimizer);
    },
  });
}

/** What is used of tfjs-backend-webgpu 4.22's WebGPUBackend; the last three are private there. */
interface WebGPUBackend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(dataId: object): { resource?: GPUBuffer; values: unknown } };
  uploadToGPU(dataId: object): void;
  refCount(dataId: object): number;
  makeTensorInfo(
    shape: number[],
    dtype: "float32",
  ): Parameters<ReturnType<typeof engine>["makeTensorFromTensorInfo"]>[0];
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  readonly commandEncoder: GPUCommandEncoder;
  readonly computePassEncoder: GPUComputePassEncoder | null;
  readonly commandQueueOwnedIds: WeakSet<object>;
}

function clipOnGPU(gpu: WebGPUBackend, gradients: NamedTensor[], clips: Clips): NamedTensor[] {
  const bufferOf = ({ dataId }: Tensor) => {
    // A small tensor may live on the CPU only.
    gpu.uploadToGPU(dataId);
    gpu.commandQueueOwnedIds.add(dataId);
    const data = gpu.tensorMap.get(dataId);
    // Numbers that were read before are not those that follow.
    data.values = null;
    return data.resource as GPUBuffer;
  };
  const tensors = new Set(gradients.map(({ tensor }) => tensor));
  const holders = new Map<object, number>();
  for (const tensor of tensors) if (tensor) holders.set(tensor.dataId, (holders.get(tensor.dataId) ?? 0) + 1);

  const views: (GradientView | null)[] = [];
  const clipped = gradients.map(({ name, tensor }) => {
    if (!tensor?.size) {
      views.push(null);
      return { name, tensor };
    }
    const { size: length, shape, dataId } = tensor;
    const isShared = gpu.refCount(dataId) > (holders.get(dataId) ?? 0);
    const result = isShared ? engine().makeTensorFromTensorInfo(gpu.makeTensorInfo(shape, "float32")) : tensor;
    const into = isShared ? { buffer: bufferOf(result) } : undefined;
    views.push({ name, shape, length, buffer: bufferOf(tensor), into });
    return { name, tensor: result };
  });
  const clip = clips.for(views, gpu.device);
  gpu.ensureCommandEncoderReady();
  clip.encode(gpu.computePassEncoder ?? gpu.commandEncoder, views);
  return clipped;
}

function clipOnCPU(gradients: NamedTensor[], clips: Clips): NamedTensor[] {
  const views = gradients.map(({ name, tensor }) => {
    if (!tensor?.size) return null;
    const buffer = tensor.dataSync<"float32">();
    return { name, shape: tensor.shape, length: tensor.size, buffer, into: { buffer: new Float32Array(tensor.size) } };
  });
  clips.for(views).run(views);
  return gradients.map(({ name, tensor }, i) => {
    const into = views[i]?.into;
    return { name, tensor: into ? tensorOf(into.buffer, tensor.shape) : tensor };
  });
}

/** A submit with nothing recorded is fine; without an encoder it throws. */
function submit(gpu: WebGPUBackend): void {
  gpu.endComputePassEncoder();
  gpu.ensureCommandEncoderReady();
  gpu.submitQueue();
}
