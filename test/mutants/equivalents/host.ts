/** Of the host: src/. */
import type { Equivalent } from "../equivalents.ts";

export const host: readonly Equivalent[] = [
  {
    file: "overlaps.ts",
    before:
      "    if (byteLength > 0) uses.push({ buffer: idOf(buffer), start, end: start + byteLength, range, tensor, as });",
    after:
      "    if (byteLength > 1) uses.push({ buffer: idOf(buffer), start, end: start + byteLength, range, tensor, as });",
    reason: "No range has one byte.",
  },
  {
    file: "overlaps.ts",
    before: '  if (a.as === "parameter" || b.as === "parameter") return a.as === b.as;',
    after: '  if (a.as === "parameter" && b.as === "parameter") return a.as === b.as;',
    reason: "Where one of them is a parameter, the next line finds them different.",
  },
  {
    file: "ranges.ts",
    before: '  if (backendOf(whole.buffer) === "webgpu" && byteLength > 0 && start + byteLength > bindable) {',
    after: '  if (backendOf(whole.buffer) === "webgpu" && byteLength > 1 && start + byteLength > bindable) {',
    reason: "No range has one byte.",
  },
  {
    file: "ranges.ts",
    before: "let lastId = 0;",
    after: "let lastId = 1;",
    reason: "Numbers of buffers are compared with each other alone.",
  },
  {
    file: "webgpu/windows.ts",
    before: "  if (Math.max(source.size, into?.size ?? 0) > limits.maxBinding) return undefined;",
    after: "  if (Math.max(source.size, into?.size ?? 1) > limits.maxBinding) return undefined;",
    reason: "A source has more than one byte.",
  },
  {
    file: "webgpu/windows.ts",
    before: "  return { buffer: a.buffer, offset, size: Math.max(a.offset + a.size, b.offset + b.size) - offset };",
    after: "  return { buffer: a.buffer, offset, size: Math.max(a.offset - a.size, b.offset + b.size) - offset };",
    reason: "Of two windows in order the second ends last.",
  },
  {
    file: "webgpu/segments.ts",
    before: "    const batch = byteOffset % 4 > 0 && batchAt.get(wordAt(byteOffset)) === 0 ? 1 : 0;",
    after: "    const batch = byteOffset % 4 > 1 && batchAt.get(wordAt(byteOffset)) === 0 ? 1 : 0;",
    reason: "Elements have 2 bytes or 4: no number of bytes is odd.",
  },
  {
    file: "webgpu/segments.ts",
    before: "    const batch = byteOffset % 4 > 0 && batchAt.get(wordAt(byteOffset)) === 0 ? 1 : 0;",
    after: "    const batch = byteOffset % 4 >= 0 && batchAt.get(wordAt(byteOffset)) === 0 ? 1 : 0;",
    reason: "A word in which a segment begins with its first byte has no other's end.",
  },
  {
    file: "webgpu/segments.ts",
    before: "    if (end % 4 > 0) batchAt.set(wordAt(end), batch);",
    after: "    if (end % 4 > 1) batchAt.set(wordAt(end), batch);",
    reason: "Elements have 2 bytes or 4: no number of bytes is odd.",
  },
  {
    file: "webgpu/segments.ts",
    before: "  let previous = -1;",
    after: "  let previous = -2;",
    reason: "There is none before the first to join.",
  },
  {
    file: "webgpu/table.ts",
    before: "  const intoStart = segment.into && into ? segment.into.byteOffset - into.offset : start;",
    after: "  const intoStart = segment.into || into ? segment.into.byteOffset - into.offset : start;",
    reason: "A segment has a destination where its slot has one.",
  },
  {
    file: "webgpu/table.ts",
    before: "  const edge = (byte: number, bit: number) => (byte % wordBytes > 0 ? bit : 0);",
    after: "  const edge = (byte: number, bit: number) => (byte % wordBytes > 1 ? bit : 0);",
    reason: "Elements have 2 bytes or 4: no number of bytes is odd.",
  },
  {
    file: "webgpu/loopLimit.ts",
    before: "const OF_WORKGROUP = 264;",
    after: "const OF_WORKGROUP = 265;",
    reason: "An odd number of iterations is left for tiles, and a tile takes an even one.",
  },
  {
    file: "pieces.ts",
    before: "    const units = (runs[ordinal]?.count ?? 1) > 1 ? unitsOf(tensor, grouping) : undefined;",
    after: "    const units = (runs[ordinal]?.count ?? 2) > 1 ? unitsOf(tensor, grouping) : undefined;",
    reason: "Where gradients have no runs, they have no units.",
  },
  {
    file: "view.ts",
    before: "  const length = most && present < most && present % (most / examples) === 0 ? most : present;",
    after: "  const length = most && present <= most && present % (most / examples) === 0 ? most : present;",
    reason: "As many as all are all.",
  },
  {
    file: "record.ts",
    before:
      "  return view.getFloat32(start + recordAt.scale, true) * view.getFloat32(start + recordAt.secondScale, true);",
    after:
      "  return view.getFloat32(start - recordAt.scale, true) * view.getFloat32(start + recordAt.secondScale, true);",
    reason: "The scale comes first: its offset is 0.",
  },
  {
    file: "cpu/backend.ts",
    before: "  const entries = new DataView(new ArrayBuffer(several ? ENTRY_BYTES * groups : 0));",
    after: "  const entries = new DataView(new ArrayBuffer(several ? ENTRY_BYTES * groups : 1));",
    reason: "With one norm nothing reads them.",
  },
  {
    file: "cpu/backend.ts",
    before:
      "  const tensorNorms = new DataView(new ArrayBuffer(options.tensorNorms ? ENTRY_BYTES * declared.length : 0));",
    after:
      "  const tensorNorms = new DataView(new ArrayBuffer(options.tensorNorms ? ENTRY_BYTES * declared.length : 1));",
    reason: "Without the option nothing reads them.",
  },
  {
    file: "cpu/backend.ts",
    before: "      if (rows.length > 0) keepStep(rows, new Uint32Array(record.buffer));",
    after: "      if (rows.length > 1) keepStep(rows, new Uint32Array(record.buffer));",
    reason: "A row has eight words.",
  },
  {
    file: "cpu/clamp.ts",
    before: "      return x < low ? low : x > high ? high : x;",
    after: "      return x <= low ? low : x > high ? high : x;",
    reason: "At a limit it is the limit.",
  },
  {
    file: "cpu/clamp.ts",
    before: "      return x < low ? low : x > high ? high : x;",
    after: "      return x < low ? low : x >= high ? high : x;",
    reason: "At a limit it is the limit.",
  },
  {
    file: "cpu/skip.ts",
    before: "  const judged = unjudged.length > 0 ? (regrouped(each, 2, part)[0] as Found) : all;",
    after: "  const judged = unjudged.length > 0 ? (regrouped(each, 3, part)[0] as Found) : all;",
    reason: "No part has that number.",
  },
  {
    file: "cpu/sum_examples.ts",
    before: "    const first = parts.find((part) => part.tensor === tensor)?.group ?? 0;",
    after: "    const first = parts.find((part) => part.tensor === tensor)?.group ?? 1;",
    reason: "Without a part there are no examples.",
  },
  {
    file: "cpu/unit_norm.ts",
    before: "  const [inner = { length: 1, stride: 0 }, ...outer] = axes;",
    after: "  const [inner = { length: 1, stride: 1 }, ...outer] = axes;",
    reason: "Without axes there is one unit.",
  },
  {
    file: "cpu/unit_norm.ts",
    before: "  const [inner = { length: 1, stride: 0 }, ...outer] = axes;",
    after: "  const [inner = { length: 2, stride: 0 }, ...outer] = axes;",
    reason: "Without axes there is one unit.",
  },
  {
    file: "cpu/terms.ts",
    before: "    else if (-value > largest) largest = -value;",
    after: "    else if (-value >= largest) largest = -value;",
    reason: "Of two equal numbers either may be the largest.",
  },
  {
    file: "cpu/scale.ts",
    before: "  for (; i + 8 <= values.length; i += 8) {",
    after: "  for (; i - 8 <= values.length; i += 8) {",
    reason: "A typed array takes nothing behind its end.",
  },
  {
    file: "cpu/norm.ts",
    before: "  return piece < firstPiece || (piece === firstPiece && element < firstElement);",
    after: "  return piece < firstPiece || (piece === firstPiece && element <= firstElement);",
    reason: "Of two equal places either may be the first.",
  },
  {
    file: "cpu/norm.ts",
    before: "  if (kind.isRelative && groups > 1)",
    after: "  if (kind.isRelative || groups > 1)",
    reason: "Sums that are relative to nothing are the same again; it takes longer.",
  },
  {
    file: "cpu/norm.ts",
    before: "  if (kind.isRelative && groups > 1)",
    after: "  if (kind.isRelative && groups >= 1)",
    reason: "The one group's sum is the same again; it takes longer.",
  },
  {
    file: "cpu/norm.ts",
    before: "    read(source, (values) => linf.add(found[group] as Sum, values, 0));",
    after: "    read(source, (values) => linf.add(found[group] as Sum, values, 1));",
    reason: "A largest magnitude is relative to nothing.",
  },
  {
    file: "cpu/formats.ts",
    before: "  if (magnitude >= 0x477ff000) return sign | 0x7c00;",
    after: "  if (magnitude >= 0x477ff001) return sign | 0x7c00;",
    reason: "Halfway the next line gives infinity too.",
  },
  {
    file: "cpu/formats.ts",
    before: "const single = new Float32Array(1);",
    after: "const single = new Float32Array(2);",
    reason: "Its first element alone is used.",
  },
  {
    file: "norms/l1.ts",
    before: "  fixedPower: 0,",
    after: "  fixedPower: 1,",
    reason: "Its kernels read no power.",
  },
  {
    file: "norms/l2.ts",
    before: "  fixedPower: 0,",
    after: "  fixedPower: 1,",
    reason: "Its kernels read no power.",
  },
  {
    file: "norms/linf.ts",
    before: "  fixedPower: 0,",
    after: "  fixedPower: 1,",
    reason: "Its kernels read no power.",
  },
  {
    file: "norms/linf.ts",
    before: "  add: (found, values) => addTerms(found, values, (value) => 0 * value),",
    after: "  add: (found, values) => addTerms(found, values, (value) => 1 * value),",
    reason: "The sum says only whether it is finite.",
  },
  {
    file: "rules/groups.ts",
    before: "    weight: ({ group }) => bounds[group] ?? 0,",
    after: "    weight: ({ group }) => bounds[group] ?? 1,",
    reason: "Each group has a bound.",
  },
  {
    file: "skips/memory.ts",
    before: "      const part = { of, headAt, listAt, listWords: of.toWords(0).length - of.headWords };",
    after: "      const part = { of, headAt, listAt, listWords: of.toWords(1).length - of.headWords };",
    reason: "How many words there are does not depend on where the list is.",
  },
  {
    file: "skips/skipSpikes.ts",
    before: "        values: seen < window ? ring.slice(0, seen) : [...ring.slice(next), ...ring.slice(0, next)],",
    after: "        values: seen <= window ? ring.slice(0, seen) : [...ring.slice(next), ...ring.slice(0, next)],",
    reason: "When a list has just become full, the next place is 0.",
  },
  {
    file: "floats.ts",
    before: "  for (; mantissa >= 2 ** 32; exponent++) mantissa /= 2;",
    after: "  for (; mantissa >= 3 ** 32; exponent++) mantissa /= 2;",
    reason: "It is for a Math.log2 that is too small; V8's is not.",
  },
  {
    file: "floats.ts",
    before: "  let exponent = Math.floor(Math.log2(value)) - 31;",
    after: "  let exponent = Math.floor(Math.log2(value)) + 31;",
    reason: "The loops move the number to where it belongs; it takes longer.",
  },
  {
    file: "methods/method.ts",
    before: "  passes: 0,",
    after: "  passes: 1,",
    reason: "Its keys alone are used.",
  },
  {
    file: "methods/method.ts",
    before: "  eps: 0,",
    after: "  eps: 1,",
    reason: "Its keys alone are used.",
  },
];
