/** The exports that the command line bundles. */
export { runBenchmark } from "./benchmark.ts";
export { rowsAsMarkdown, targetsAsMarkdown } from "./markdown.ts";
