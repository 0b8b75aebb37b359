// WebGPU in Deno: wgpu, with naga as its compiler of WGSL.

import { createRequire } from "node:module";
import { join } from "node:path";
import { cache } from "./packaged.mjs";

/** The program itself, found without the package's install script and without a launcher in between. */
export function denoPath() {
  return createRequire(import.meta.url)("deno/install_api.cjs").runInstall();
}

export const denoArguments = ["run", "-A", "--unstable-webgpu", "--no-config", "--no-lock", "--no-remote", "--no-npm"];

export const denoEnvironment = { DENO_DIR: join(cache, "deno"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
