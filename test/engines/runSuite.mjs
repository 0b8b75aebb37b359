// Runs a bundled conformance suite in Node, in Deno, or in a page, which gets the function as text: it uses nothing outside itself.

/**
 * @typedef {{ name: string, error?: string }} Result
 * @typedef {Record<string, { value: number, norm: number }>} Errors in ULP
 * @typedef {{ passed: number, failed: number, largestErrors?: Errors }} Totals
 * @typedef {{ adapter: string } | Result | Totals | { crash: string }} Message
 */

/**
 * @param {{ suite: string, engine: string, filter?: string, gpu?: GPU, send: (message: Message) => void }} options
 */
export async function runSuite({ suite, engine, filter, gpu, send }) {
  try {
    if (engine === "cpu") {
      send({ adapter: "none" });
    } else {
      // Twice: see src/webgpu/ownDevice.ts.
      const adapter = (await gpu?.requestAdapter()) ?? (await gpu?.requestAdapter());
      if (!adapter) throw new Error(gpu ? "WebGPU has no adapter." : "There is no WebGPU.");
      const { vendor, architecture, device, description } = adapter.info;
      send({ adapter: [vendor, architecture, device, description].filter(Boolean).join(" ") });
    }
    const { runConformance } = await import(/* @vite-ignore */ suite);
    const { passed, failed, largestErrors } = await runConformance({ engine, gpu, filter, onResult: send });
    send({ passed, failed, largestErrors });
  } catch (error) {
    // Firefox's stack has no message.
    const { stack = "" } = /** @type {Error} */ (error);
    send({ crash: stack.includes(String(error)) ? stack : `${error}\n${stack}` });
  }
}
