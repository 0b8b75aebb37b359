/** Of the host too: what speaks to a device. */
import type { Equivalent } from "../equivalents.ts";

export const hostDevice: readonly Equivalent[] = [
  {
    file: "webgpu/realNames.ts",
    before: "    found += realParts[i]?.length ?? 0;",
    after: "    found += realParts[i]?.length ?? 1;",
    reason: "Both lines have as many parts.",
  },
  {
    file: "webgpu/wgslNames.ts",
    before: '    if (scope !== "global" && (isParameter || (depth > 0 && DECLARES_LOCAL.test(before)))) {',
    after: '    if (scope !== "global" && (isParameter || (depth >= 0 && DECLARES_LOCAL.test(before)))) {',
    reason: "Between a function's name and its body nothing is declared by let, const or var.",
  },
  {
    file: "webgpu/layouts.ts",
    before: "  const isRead = types[0] === READ;",
    after: "  const isRead = types[1] === READ;",
    reason: "With one binding nothing is filled.",
  },
  {
    file: "webgpu/recording.ts",
    before: '  if (typeof gradScale === "number") return;',
    after: "  if (false) return;",
    reason: "Without a buffer no recipe reads gradScale.",
  },
  {
    file: "webgpu/recording.ts",
    before: "  let [next, end] = [0, 0];",
    after: "  let [next, end] = [0, 1];",
    reason: "Words have more than one byte.",
  },
  {
    file: "webgpu/recording.ts",
    before: "    const { words, bytes = 0 } = binding;",
    after: "    const { words, bytes = 1 } = binding;",
    reason: "Words have more than one byte.",
  },
  {
    file: "webgpu/readBack.ts",
    before: "function sizeOf({ buffer, offset = 0, size = buffer.size - offset }: GPUBufferBinding): number {",
    after: "function sizeOf({ buffer, offset = 0, size = buffer.size + offset }: GPUBufferBinding): number {",
    reason: "What has an offset has a size.",
  },
  {
    file: "webgpu/device.ts",
    before: "    for (let i = 0; i < 256; i++) words[(i * ALIGNMENT) / 4] = i;",
    after: "    for (let i = 0; i <= 256; i++) words[(i * ALIGNMENT) / 4] = i;",
    reason: "A typed array takes nothing behind its end.",
  },
  {
    file: "webgpu/device.ts",
    before: "    for (let i = 0; i < 256; i++) words[(i * ALIGNMENT) / 4] = i;",
    after: "    for (let i = 0; i < 257; i++) words[(i * ALIGNMENT) / 4] = i;",
    reason: "A typed array takes nothing behind its end.",
  },
  {
    file: "webgpu/device.ts",
    before: "    for (let i = 0; i < 256; i++) words[(i * ALIGNMENT) / 4] = i;",
    after: "    for (let i = 1; i < 256; i++) words[(i * ALIGNMENT) / 4] = i;",
    reason: "The first is 0 already.",
  },
  {
    file: "webgpu/faults.ts",
    before: "    if (!this.#current && this.#waiting === 0) return;",
    after: "    if (false) return;",
    reason: "Without a fault it changes nothing; it takes longer.",
  },
  {
    file: "webgpu/faults.ts",
    before: "  #waiting = 0;",
    after: "  #waiting = 1;",
    reason: "It only takes longer, as long as the number never is 0.",
  },
  {
    file: "webgpu/faults.ts",
    before: "    this.#waiting += 1;",
    after: "    this.#waiting += 2;",
    reason: "It only takes longer, as the number is 0 before the first call alone.",
  },
  {
    file: "webgpu/grid.ts",
    before: "  software: { lanes: 4, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 4 },",
    after: "  software: { lanes: 4, minTiles: 129, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 4 },",
    reason: "Of a grid any number is right; it only costs time.",
  },
  {
    file: "webgpu/grid.ts",
    before: "  software: { lanes: 4, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 4 },",
    after: "  software: { lanes: 4, minTiles: 128, normWorkgroups: 9, scaleWorkgroups: 8, finishLanes: 4 },",
    reason: "Of a grid any number is right; it only costs time.",
  },
  {
    file: "webgpu/grid.ts",
    before: "  software: { lanes: 4, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 4 },",
    after: "  software: { lanes: 4, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 9, finishLanes: 4 },",
    reason: "Of a grid any number is right; it only costs time.",
  },
  {
    file: "webgpu/grid.ts",
    before: "  llvmpipe: { lanes: 8, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 8 },",
    after: "  llvmpipe: { lanes: 8, minTiles: 129, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 8 },",
    reason: "Of a grid any number is right; it only costs time.",
  },
  {
    file: "webgpu/grid.ts",
    before: "  llvmpipe: { lanes: 8, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 8 },",
    after: "  llvmpipe: { lanes: 8, minTiles: 128, normWorkgroups: 9, scaleWorkgroups: 8, finishLanes: 8 },",
    reason: "Of a grid any number is right; it only costs time.",
  },
  {
    file: "webgpu/grid.ts",
    before: "  llvmpipe: { lanes: 8, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 8, finishLanes: 8 },",
    after: "  llvmpipe: { lanes: 8, minTiles: 128, normWorkgroups: 8, scaleWorkgroups: 9, finishLanes: 8 },",
    reason: "Of a grid any number is right; it only costs time.",
  },
  {
    file: "webgpu/grid.ts",
    before: "  integrated: { lanes: 64, minTiles: 4, normWorkgroups: 512, scaleWorkgroups: 1024, finishLanes: 256 },",
    after: "  integrated: { lanes: 64, minTiles: 4, normWorkgroups: 513, scaleWorkgroups: 1024, finishLanes: 256 },",
    reason: "Of a grid any number is right; it only costs time.",
  },
  {
    file: "webgpu/grid.ts",
    before: "  integrated: { lanes: 64, minTiles: 4, normWorkgroups: 512, scaleWorkgroups: 1024, finishLanes: 256 },",
    after: "  integrated: { lanes: 64, minTiles: 4, normWorkgroups: 512, scaleWorkgroups: 1025, finishLanes: 256 },",
    reason: "Of a grid any number is right; it only costs time.",
  },
];
