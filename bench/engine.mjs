// Runs the bundled benchmark in Node, in Deno, or in a page, which gets the function as text: it uses nothing outside itself.

/**
 * @typedef {import("./benchmark.ts").Results} Results
 * @typedef {{ turn: string } | { markdown: string, done: number, total: number } | { results: Results, targets: string } | { crash: string }} Message
 */

/**
 * @param {{ bundle: string, engine: string, preset: "quick" | "full", filter?: string, gpu?: GPU, send: (message: Message) => void }} options
 */
export async function runBundle({ bundle, engine, preset, filter, gpu, send }) {
  try {
    if (engine !== "cpu" && !gpu) throw new Error("There is no WebGPU.");
    const { runBenchmark, rowsAsMarkdown, targetsAsMarkdown } = await import(/* @vite-ignore */ bundle);
    const results = await runBenchmark({
      engine,
      preset,
      filter,
      gpu,
      onTurn: (/** @type {string} */ workload, /** @type {string} */ contestant) =>
        send({ turn: `${workload}: ${contestant}` }),
      onRows: (/** @type {unknown} */ rows, /** @type {number} */ done, /** @type {number} */ total) =>
        send({ markdown: rowsAsMarkdown(rows), done, total }),
    });
    send({ results, targets: targetsAsMarkdown(results) });
  } catch (error) {
    send({ crash: String((error instanceof Error && error.stack) || error) });
  }
}
