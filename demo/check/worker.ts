// Runs the suite beside the page. Ending the worker cancels it.

import { LostGpuError, runConformance } from "../../test/conformance/index.ts";

export interface Check {
  heavy: boolean;
  isOnCpu: boolean;
  filter?: string;
}

export type Message =
  | { count: number }
  | { name: string; error?: string }
  | { adapter: string; passed: number; failed: number }
  | { lost: string }
  | { crash: string };

const send = (message: Message) => postMessage(message);

addEventListener("message", async ({ data: { heavy, isOnCpu, filter } }: MessageEvent<Check>) => {
  try {
    const gpu = isOnCpu ? undefined : navigator.gpu;
    const engine = gpu ? "this browser" : "cpu";
    const onCount = (count: number) => send({ count });
    send(await runConformance({ engine, gpu, heavy, filter, onCount, onResult: send }));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    send(error instanceof LostGpuError ? { lost: text } : { crash: text });
  }
});
