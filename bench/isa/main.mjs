// npm run bench -- --isa [--engine node|deno] [--family navi31,vega10] [--bindings 7,15] [--filter "^norm l2"] [--loops] [--json file]
// What AMD's compiler makes of the kernels, as Dawn (node: Chrome's) or wgpu (deno: Firefox's) hands them over.

import { writeFileSync } from "node:fs";
import { compiledFor, Missing } from "./compiled.mjs";
import { loopsTable, table, title } from "./tables.mjs";

export const isaOptions = /** @type {const} */ ({
  family: { type: "string", default: "navi31" },
  bindings: { type: "string", default: "7" },
  loops: { type: "boolean", default: false },
});

/**
 * @param {{ engine: string, family: string, bindings: string, filter?: string, loops: boolean, json?: string }} options
 * @returns {Promise<number>} the exit status
 */
export async function runIsa({ engine, family, bindings, filter = "", loops, json }) {
  try {
    const families = family.split(",");
    const compiled = await compiledFor({ engine, families, bindings: bindings.split(",").map(Number), filter });
    for (const one of compiled) console.log(`\n${title(one)}\n\n${loops ? loopsTable(one) : table(one)}`);
    if (json) writeFileSync(json, `${JSON.stringify(compiled)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    console.error(error.message);
    return 1;
  }
}
