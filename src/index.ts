export { type ClipperOptions, clipGradients, createClipper, selfTest } from "./createClipper.ts";
export * from "./everyEntry.ts";
