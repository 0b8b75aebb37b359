/** Of the host too: methods, rules, norms, and what came with them. */
import type { Equivalent } from "../equivalents.ts";

export const hostMethods: readonly Equivalent[] = [
  {
    file: "cpu/scale.ts",
    before: "  for (; i + 8 <= values.length; i += 8) {",
    after: "  for (; i + 8 < values.length; i += 8) {",
    reason: "What the first loop leaves the second one does.",
  },
  {
    file: "cpu/scale.ts",
    before: "  for (; i + 8 <= values.length; i += 8) {",
    after: "  for (; i + 9 <= values.length; i += 8) {",
    reason: "What the first loop leaves the second one does.",
  },
  {
    file: "cpu/terms.ts",
    before: "  for (; i + 8 <= values.length; i += 8) {",
    after: "  for (; i + 8 < values.length; i += 8) {",
    reason: "What the first loop leaves the second one does.",
  },
  {
    file: "cpu/terms.ts",
    before: "  for (; i + 8 <= values.length; i += 8) {",
    after: "  for (; i + 9 <= values.length; i += 8) {",
    reason: "What the first loop leaves the second one does.",
  },
  {
    file: "cpu/terms.ts",
    before: "    if (square > most) most = square;",
    after: "    if (square >= most) most = square;",
    reason: "Of two equal numbers either may be the largest.",
  },
  {
    file: "cpu/norm.ts",
    before:
      "    const inUnits = units && unitNorm ? unitNorm(source, number, units) : [search(part, kind, mosts[group] ?? 0)];",
    after:
      "    const inUnits = units && unitNorm ? unitNorm(source, number, units) : [search(part, kind, mosts[group] ?? 1)];",
    reason: "A sum that is relative to nothing takes none.",
  },
  {
    file: "webgpu/passes/clamp.ts",
    before: "const NO_SOURCE = new Uint32Array(1);",
    after: "const NO_SOURCE = new Uint32Array(2);",
    reason: "Without a source the kernel reads none of it.",
  },
  {
    file: "webgpu/passes/sum_examples.ts",
    before: "    wordTilesWithin(segments, ({ examples = 0 }) => 8 + 2 * (examples + 1) * (elements + 4)),",
    after: "    wordTilesWithin(segments, ({ examples = 1 }) => 8 + 2 * (examples + 1) * (elements + 4)),",
    reason: "A segment of this pass has a number of examples.",
  },
  {
    file: "webgpu/passes/sum_examples.ts",
    before:
      "      const segment = { ...place, piece: 0, group: first + example, firstElement: 0, label, examples: count };",
    after:
      "      const segment = { ...place, piece: 0, group: first + example, firstElement: 1, label, examples: count };",
    reason: "The kernel does not number elements.",
  },
  {
    file: "webgpu/passes/sum_examples.ts",
    before:
      "      const segment = { ...place, piece: 0, group: first + example, firstElement: 0, label, examples: count };",
    after:
      "      const segment = { ...place, piece: 1, group: first + example, firstElement: 0, label, examples: count };",
    reason: "The kernel does not number pieces.",
  },
  {
    file: "webgpu/passes/unit_norm.ts",
    before: "  const [run = { length: 1, stride: 0 }, ...runs] = reduced;",
    after: "  const [run = { length: 1, stride: 1 }, ...runs] = reduced;",
    reason: "A run of one value takes no step.",
  },
  {
    file: "webgpu/passes/units.ts",
    before: "    period *= axis?.length ?? 1;",
    after: "    period *= axis?.length ?? 2;",
    reason: "Behind the last axis no period is used.",
  },
  {
    file: "rules/ada.ts",
    before: "    const [count = 0, ...averages] = unpacked(saved, TAG, 1 + this.#averages.length, this.subject);",
    after: "    const [count = 1, ...averages] = unpacked(saved, TAG, 1 + this.#averages.length, this.subject);",
    reason: "What is unpacked has a count.",
  },
  {
    file: "norms/lp.ts",
    before:
      "    add: (found, values, most) => addTerms(found, values, (value) => (Math.abs(value) / (most || 1)) ** p),",
    after:
      "    add: (found, values, most) => addTerms(found, values, (value) => (Math.abs(value) / (most || 2)) ** p),",
    reason: "It is 0 only where all values are.",
  },
  {
    file: "floats.ts",
    before: "  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 2;",
    after: "  for (; mantissa > 2 ** 32; exponent++) mantissa /= 2;",
    reason: "It is for a Math.log2 that is too small; V8's is not.",
  },
  {
    file: "floats.ts",
    before: "  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 2;",
    after: "  for (; mantissa >= 2 ** 33; exponent++) mantissa /= 2;",
    reason: "It is for a Math.log2 that is too small; V8's is not.",
  },
  {
    file: "floats.ts",
    before: "  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 2;",
    after: "  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 3;",
    reason: "It is for a Math.log2 that is too small; V8's is not.",
  },
  {
    file: "floats.ts",
    before: "  for (; mantissa < 2 ** 31; exponent--) mantissa *= 2;",
    after: "  for (; mantissa <= 2 ** 31; exponent--) mantissa *= 2;",
    reason: "What is twice as large is halved at the end.",
  },
  {
    file: "floats.ts",
    before: "  let exponent = Math.floor(Math.log2(value)) - 31;",
    after: "  let exponent = Math.floor(Math.log2(value)) - 32;",
    reason: "The loops move the number to where it belongs; it takes longer.",
  },
  {
    file: "floats.ts",
    before: "const float = new Float32Array(1);",
    after: "const float = new Float32Array(2);",
    reason: "Its first element alone is used.",
  },
  { file: "methods/method.ts", before: "  name: 0,", after: "  name: 1,", reason: "Its keys alone are used." },
  { file: "methods/method.ts", before: "  maxNorm: 0,", after: "  maxNorm: 1,", reason: "Its keys alone are used." },
  { file: "methods/method.ts", before: "  norm: 0,", after: "  norm: 1,", reason: "Its keys alone are used." },
  { file: "methods/method.ts", before: "  grouping: 0,", after: "  grouping: 1,", reason: "Its keys alone are used." },
  { file: "methods/method.ts", before: "  rule: 0,", after: "  rule: 1,", reason: "Its keys alone are used." },
  { file: "methods/method.ts", before: "  limits: 0,", after: "  limits: 1,", reason: "Its keys alone are used." },
  { file: "methods/method.ts", before: "  examples: 0,", after: "  examples: 1,", reason: "Its keys alone are used." },
  {
    file: "methods/method.ts",
    before: "  accumulate: 0,",
    after: "  accumulate: 1,",
    reason: "Its keys alone are used.",
  },
  {
    file: "methods/method.ts",
    before: "  parametersOf: 0,",
    after: "  parametersOf: 1,",
    reason: "Its keys alone are used.",
  },
  {
    file: "methods/method.ts",
    before: "  checkOptions: 0,",
    after: "  checkOptions: 1,",
    reason: "Its keys alone are used.",
  },
  {
    file: "rules/z.ts",
    before: "      const [count = 0, mean = 0, variance = 0] = values.slice(3 * i);",
    after: "      const [count = 1, mean = 0, variance = 0] = values.slice(3 * i);",
    reason: "What is unpacked has three numbers for each norm.",
  },
  {
    file: "rules/z.ts",
    before: "      const [count = 0, mean = 0, variance = 0] = values.slice(3 * i);",
    after: "      const [count = 0, mean = 1, variance = 0] = values.slice(3 * i);",
    reason: "What is unpacked has three numbers for each norm.",
  },
  {
    file: "rules/z.ts",
    before: "      const [count = 0, mean = 0, variance = 0] = values.slice(3 * i);",
    after: "      const [count = 0, mean = 0, variance = 1] = values.slice(3 * i);",
    reason: "What is unpacked has three numbers for each norm.",
  },
  {
    file: "floats.ts",
    before: "  for (; mantissa < 2 ** 31; exponent--) mantissa *= 2;",
    after: "  for (; mantissa < 2 ** 31; exponent--) mantissa *= 3;",
    reason: "It is for a Math.log2 that is too large; V8's is not.",
  },
  {
    file: "methods/clipByValue.ts",
    before: "export function clipByValue(limit: number): ClipMethod;",
    after: ";",
    reason: "It has types alone.",
  },
  {
    file: "methods/clipByValue.ts",
    before: "export function clipByValue(min: number, max: number): ClipMethod;",
    after: ";",
    reason: "It has types alone.",
  },
  {
    file: "methods/clipByValue.ts",
    before: "    if (value === 0 || Math.abs(value) === Infinity) return value;",
    after: "    if (value === 1 || Math.abs(value) === Infinity) return value;",
    reason: "0 and 1 are numbers of every format.",
  },
  {
    file: "methods/clipPerExample.ts",
    before: "    rule: perLayer ? { ...rule, weight: ({ share = 1 }) => share } : rule,",
    after: "    rule: perLayer ? { ...rule, weight: ({ share = 2 }) => share } : rule,",
    reason: "Each layer has its share.",
  },
];
