// What was compiled, as tables.

/** @typedef {import("./compiled.mjs").Compiled} Compiled @typedef {import("./compiled.mjs").Counted} Counted */

/** @param {Compiled} compiled */
export function title({ family, engine, mesa }) {
  return `**${family}**, ${engine === "deno" ? "naga (Deno)" : "Tint (Dawn)"}, RADV of Mesa ${mesa}`;
}

/** The loop of a kernel that its text has most copies of, one for each binding: its instructions by each of its words. @param {Counted} kernel */
function loopCells({ loops: [loop] }) {
  const { load = 0, store = 0, VALU = 0, SALU = 0, SMEM = 0 } = loop?.counts ?? {};
  // A loop over words that were loaded before it has stores only.
  const words = Math.max(load, store);
  if (words === 0) return ["", "", "", ""];
  return [String(load), ...[VALU, SALU, SMEM].map((count) => (count / words).toFixed(1))];
}

/** @param {Compiled} compiled */
export function table({ kernels }) {
  const head = [
    "kernel",
    "instructions",
    "bytes",
    "VGPRs",
    "waves",
    "spills",
    "loads a turn",
    "VALU a load",
    "SALU",
    "SMEM",
    "ms",
    "of it RADV",
  ];
  const body = kernels.map((kernel) => {
    const { name, instructions, bytes, vgprs, waves, spills, cpuMs, driverMs } = kernel;
    return [
      name,
      ...[instructions, bytes, vgprs, waves, spills].map(String),
      ...loopCells(kernel),
      cpuMs.toFixed(0),
      driverMs.toFixed(0),
    ];
  });
  return [aligned(head, body), ...firstLoad(kernels)].join("\n\n");
}

/** All loops that touch memory. @param {Compiled} compiled */
export function loopsTable({ kernels }) {
  const body = kernels.flatMap(({ name, loops }) =>
    loops.map(({ block, copies, counts }) => [
      name,
      `BB${block}`,
      String(copies),
      ...Object.values(counts).map(String),
    ]),
  );
  const kinds = Object.keys(kernels.flatMap(({ loops }) => loops)[0]?.counts ?? {});
  return aligned(["kernel", "from", "copies", ...kinds], body);
}

/** @param {readonly Counted[]} kernels */
function firstLoad(kernels) {
  const first = kernels.filter(({ isFirst }) => isFirst);
  return [...new Set(first.flatMap(({ bindings }) => bindings))].map((count) => {
    const asked = first.filter(({ bindings }) => bindings.includes(count));
    const sum = (/** @type {"instructions" | "cpuMs" | "driverMs"} */ key) =>
      asked.reduce((all, kernel) => all + kernel[key], 0).toFixed(0);
    const names = asked.map(({ name }) => name).join(", ");
    return `From prepare to ready with ${count} bindings, of these: ${asked.length} pipelines (${names}), ${sum("instructions")} instructions, ${sum("cpuMs")} ms of CPU, ${sum("driverMs")} of it RADV.`;
  });
}

/** Markdown whose columns stand under each other. @param {readonly string[]} head @param {readonly (readonly string[])[]} body */
function aligned(head, body) {
  const widths = head.map((cell, i) => Math.max(3, cell.length, ...body.map((cells) => cells[i]?.length ?? 0)));
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [line(head), rule, ...body.map(line)].join("\n");
}
