// Runs the suite beside the page. Ending the worker cancels it.

import { runConformance } from "../../test/conformance/index.ts";

export interface Check {
  heavy: boolean;
  filter?: string;
}

export type Message =
  | { name: string; error?: string }
  | { adapter: string; passed: number; failed: number }
  | { crash: string };

const send = (message: Message) => postMessage(message);

addEventListener("message", async ({ data: { heavy, filter } }: MessageEvent<Check>) => {
  try {
    const engine = navigator.gpu ? "this browser" : "cpu";
    send(await runConformance({ engine, gpu: navigator.gpu, heavy, filter, onResult: send }));
  } catch (error) {
    send({ crash: error instanceof Error ? error.message : String(error) });
  }
});
