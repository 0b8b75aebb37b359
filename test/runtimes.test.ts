/** "Node, Deno and Bun" of docs/engines.md: each example gets a device in its runtime, and clips on it. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { bunPath, hasBunWebGpu } from "./engines/bun.mjs";
import { denoArguments, denoEnvironment, denoPath } from "./engines/deno.mjs";
import { cache, expectedAdapter, repository, vulkanEnvironment } from "./engines/packaged.mjs";
import { libraryIn } from "./support/package.ts";

const pausedPolls = new URL("./engines/pausedPolls.mjs", import.meta.url).href;
const folder = join(cache, "runtimes");

/** The code that a reader runs after the example. */
const clipping = `
const { vendor, architecture, device: name, description } = adapter.info;
const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
const gradient = device.createBuffer({ size: 8, usage });
device.queue.writeBuffer(gradient, 0, new Float32Array([3, 4]));
const clip = clipper.prepare([gradient], clipByGlobalNorm(1));
clip.run();
const { norm, clipped } = await clip.report();
console.log(JSON.stringify({ norm, clipped, adapter: [vendor, architecture, name, description].join(" ") }));
globalThis.process?.exit(0);
`;

const runtimes: Record<string, { program: () => string; arguments: string[]; env?: Record<string, string> }> = {
  Node: { program: () => process.execPath, arguments: ["--import", pausedPolls] },
  Deno: { program: denoPath, arguments: denoArguments, env: denoEnvironment },
  Bun: { program: bunPath, arguments: [] },
};

beforeAll(async () => {
  await libraryIn("runtimes");
});

function examples(): string[] {
  const page = readFileSync(join(repository, "docs/engines.md"), "utf8");
  const section = page.split(/^## /m).find((part) => part.startsWith("Node, Deno and Bun\n")) ?? "";
  return [...section.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ""]) => code);
}

test("there is an example for each", () => {
  expect(examples().length).toBe(Object.keys(runtimes).length);
});

test.each(Object.keys(runtimes))("%s", (name) => {
  if (name === "Bun") expect(hasBunWebGpu(), "bun-webgpu has binaries for this system").toBe(true);
  const runtime = runtimes[name] as (typeof runtimes)[string];
  const example = examples()[Object.keys(runtimes).indexOf(name)] as string;
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, example.replace('from "gradclip"', 'from "./gradclip.mjs"') + clipping);
  const env = { ...process.env, ...vulkanEnvironment(), ...runtime.env };
  const { stdout, stderr } = spawnSync(runtime.program(), [...runtime.arguments, file], { env, encoding: "utf8" });
  const result = stdout.split("\n").find((line) => line.startsWith("{")) ?? "null";
  const adapter = expect.stringMatching(new RegExp(expectedAdapter, "i"));
  expect(JSON.parse(result), stderr).toEqual({ norm: 5, clipped: true, adapter });
});
