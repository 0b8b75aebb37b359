/** Gives Node a navigator.gpu, for engines that look for one as they are loaded: import this before them. */
import { processGpu } from "./workbench.ts";

Object.defineProperty(globalThis, "navigator", {
  value: { gpu: await processGpu(), userAgent: "" },
  configurable: true,
});
