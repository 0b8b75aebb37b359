/** Gives Node a navigator.gpu. Import this before engines that look for one while they load. */
import { processGpu } from "./workbench.ts";

Object.defineProperty(globalThis, "navigator", {
  value: { gpu: await processGpu(), userAgent: "" },
  configurable: true,
});
