// node onNode.js <where the package webgpu is>
import { clipOn } from "./clipOn.js";

const { create } = await import(process.argv[2] ?? "webgpu");
// Kept where nothing collects it: the process would end in the middle of its work.
const gpu = Object.assign(globalThis, { gpu: create([]) }).gpu;
const adapter = await gpu.requestAdapter();
const device = await adapter.requestDevice();
console.log(await clipOn(device));
process.exit(0); // The package webgpu keeps the process alive otherwise.
