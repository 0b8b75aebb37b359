import { clipOn } from "./clipOn.js";

const adapter = await navigator.gpu.requestAdapter();
if (!adapter) throw new Error("There is no adapter.");
console.log(await clipOn(await adapter.requestDevice()));
