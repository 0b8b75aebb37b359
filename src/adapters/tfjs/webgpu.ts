import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import { recordAt, SKIP } from "../../record.ts";
import type { Clips } from "../clips.ts";
import { type Gradient, shapeOf, type TensorFlow } from "./gradients.ts";

/** The members of tfjs-backend-webgpu 4.22 that are used; the last three are private there. */
export interface WebGPUBackend {
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

/**
 * Clips in place, in the backend's own pass. Replaces a gradient in the list by another tensor if its own may not be written.
 * Returns the record.
 */
export function clipOnGPU(tf: TensorFlow, gradients: Gradient[], clips: Clips): GPUBuffer {
  const gpu = tf.backend() as unknown as WebGPUBackend;
  const { parametersOf } = clips.method;
  const given = [...gradients];
  const dataOf = ({ dataId }: Tensor) => {
    const data = gpu.tensorMap.get(dataId);
    if (!data.resource) gpu.uploadToGPU(dataId); // A small tensor may be on the CPU only.
    gpu.commandQueueOwnedIds.add(dataId); // Keeps its buffer from reuse before the submit.
    return data as typeof data & { resource: GPUBuffer };
  };
  const dataInstead = (i: number, tensor: Tensor) => {
    gradients[i] = { ...(given[i] as Gradient), tensor };
    return dataOf(tensor);
  };
  const views = given.map((gradient, i) => {
    const { name, tensor, variable } = gradient;
    if (!tensor?.size) return { name, shape: shapeOf(gradient) };
    const { shape, size: length } = tensor;
    let source = dataOf(tensor);
    // The gradient of x + y belongs to two variables and has a bound for each.
    if (parametersOf && source.refCount > 1) source = dataInstead(i, tf.mul(tensor, 1));
    let target = source;
    if (source.refCount > 1 && source.refCount > holdersIn(given, tensor)) {
      const info = gpu.makeTensorInfo(shape, "float32");
      target = dataInstead(i, tf.engine().makeTensorFromTensorInfo(info));
    }
    target.values = null; // Values that were read before are out of date.
    const into = target === source ? undefined : { buffer: target.resource };
    const parameter = parametersOf && variable ? { buffer: dataOf(variable).resource } : undefined;
    return { name, shape, length, buffer: source.resource, into, parameter };
  });
  const { clip, gradients: present } = clips.for(views, gpu.device, () => submitQueue(gpu));
  gpu.ensureCommandEncoderReady();
  clip.encode(gpu.computePassEncoder ?? gpu.commandEncoder, present);
  return clip.record as GPUBuffer;
}

/** The number of tensors that share these values. */
function holdersIn(gradients: Gradient[], { dataId }: Tensor): number {
  return new Set(gradients.map(({ tensor }) => tensor).filter((tensor) => tensor?.dataId === dataId)).size;
}

/** Without an encoder submitQueue would throw; an empty encoder is fine. */
export function submitQueue(gpu: WebGPUBackend): void {
  gpu.endComputePassEncoder();
  gpu.ensureCommandEncoderReady();
  gpu.submitQueue();
}

/** Whether the last step that was recorded is skipped: a scalar, from the record as it is then. */
export function isSkipped(tf: TensorFlow, record: GPUBuffer): Tensor {
  return tf.tidy(() => {
    const flags = tf.slice(wordsOf(tf, record), [recordAt.flags / 4], [1]);
    const bit = tf.mod(tf.floorDiv(flags, tf.scalar(SKIP, "int32")), tf.scalar(2, "int32"));
    return tf.reshape(tf.cast(bit, "bool"), []);
  });
}

/** The record as a tensor over its buffer. */
function wordsOf(tf: TensorFlow, record: GPUBuffer): Tensor {
  return tf.tensor({ buffer: record, zeroCopy: true }, [record.size / 4], "int32");
}
