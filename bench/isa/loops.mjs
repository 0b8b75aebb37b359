// The loops of a kernel, from the text of RADV's instructions.

/**
 * @typedef {"load" | "store" | "VALU" | "SALU" | "SMEM" | "LDS" | "wait" | "branch" | "hint"} Kind
 * @typedef {{ number: number, instructions: string[] }} Block
 * @typedef {{ start: number, end: number }} Span of places of blocks
 * @typedef {{ block: number, copies: number, counts: Record<Kind, number> }} Loop
 */

/** @type {readonly (readonly [Kind, RegExp])[]} */
const kinds = [
  ["load", /^(buffer|global|flat)_load/],
  ["store", /^(buffer|global|flat)_store/],
  ["SMEM", /^s_(buffer_)?load/],
  ["LDS", /^ds_/],
  ["wait", /^s_wait/],
  ["branch", /^s_c?branch/],
  ["hint", /^s_(delay|nop|clause|set_inst|setprio)/],
  ["VALU", /^v_/],
  ["SALU", /^s_/],
];

/** The innermost loops that load or store, those that are alike counted together, the most frequent first. @param {string} text */
export function loopsOf(text) {
  const blocks = blocksOf(text);
  const spans = spansOf(blocks).filter((span) => touchesMemory(blocks, span));
  /** @type {Map<string, Loop>} */
  const found = new Map();
  for (const span of spans) {
    if (spans.some(({ start, end }) => start > span.start && end <= span.end)) continue;
    const counts = countsOf(blocks, span);
    const key = JSON.stringify(counts);
    const block = /** @type {Block} */ (blocks[span.start]).number;
    const loop = found.get(key) ?? { block, copies: 0, counts };
    loop.copies += 1;
    found.set(key, loop);
  }
  return [...found.values()].sort((a, b) => b.copies - a.copies || b.counts.load - a.counts.load);
}

/** @param {string} text */
function blocksOf(text) {
  /** @type {Block[]} */
  const blocks = [];
  for (const line of text.split("\n")) {
    const head = /^BB(\d+):/.exec(line);
    if (head) blocks.push({ number: Number(head[1]), instructions: [] });
    else blocks.at(-1)?.instructions.push(line.replace(/\s+;.*/, "").trim());
  }
  return blocks;
}

/** From where a branch goes back to, to the last such branch. @param {Block[]} blocks @returns {Span[]} */
function spansOf(blocks) {
  const placeOf = new Map(blocks.map(({ number }, place) => [number, place]));
  /** @type {Map<number, number>} */
  const ends = new Map();
  for (const [place, { instructions }] of blocks.entries()) {
    for (const instruction of instructions) {
      const target = placeOf.get(Number(/^s_c?branch\w*\s+BB(\d+)/.exec(instruction)?.[1]));
      if (target !== undefined && target <= place) ends.set(target, place);
    }
  }
  return [...ends].map(([start, end]) => ({ start, end }));
}

/** @param {Block[]} blocks @param {Span} span */
function touchesMemory(blocks, span) {
  const { load, store } = countsOf(blocks, span);
  return load + store > 0;
}

/** @param {Block[]} blocks @param {Span} span */
function countsOf(blocks, { start, end }) {
  const counts = /** @type {Record<Kind, number>} */ (Object.fromEntries(kinds.map(([kind]) => [kind, 0])));
  for (const instruction of blocks.slice(start, end + 1).flatMap(({ instructions }) => instructions)) {
    const kind = kinds.find(([, pattern]) => pattern.test(instruction))?.[0];
    if (kind) counts[kind] += 1;
  }
  return counts;
}
