/**
 * onnxruntime-web on Dawn in Node: it has no entry for that, looks for navigator.gpu, and its memory is a
 * SharedArrayBuffer, of which Dawn takes no view.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as ort from "onnxruntime-web/webgpu";
import "./navigatorGpu.ts";

const folder = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));

export async function ortInNode(device: GPUDevice): Promise<typeof ort> {
  const module: typeof ort = await import(pathToFileURL(join(folder, "ort.webgpu.min.mjs")).href);
  module.env.wasm.numThreads = 1;
  const writeBuffer = device.queue.writeBuffer.bind(device.queue);
  device.queue.writeBuffer = (buffer, bufferOffset, data, dataOffset = 0, size) => {
    const { buffer: memory, byteOffset, byteLength } = ArrayBuffer.isView(data) ? data : new Uint8Array(data);
    const unit = (data as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
    const begin = unit * dataOffset;
    const end = size === undefined ? byteLength : begin + unit * size;
    writeBuffer(buffer, bufferOffset, new Uint8Array(memory, byteOffset).slice(begin, end));
  };
  return module;
}
