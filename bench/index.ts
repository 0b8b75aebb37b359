/** What the command line bundles. */
export { runBenchmark } from "./benchmark.ts";
export { rowsAsMarkdown, targetsAsMarkdown } from "./markdown.ts";
