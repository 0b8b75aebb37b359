import type { Names } from "./webgpu/realNames.ts";

/** What the short names of the built shaders stand for. There are none before the build, which fills this in: see vite.config.ts. */
export const shaderNames: Names = {};
