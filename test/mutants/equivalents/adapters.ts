/** Of the host too: the adapters. */
import type { Equivalent } from "../equivalents.ts";

export const adapters: readonly Equivalent[] = [
  {
    file: "adapters/jax.ts",
    before: "      const zero = np.array(Float32Array.of(-0, 1)).slice(0);",
    after: "      const zero = np.array(Float32Array.of(-0, 2)).slice(0);",
    reason: "The second value keeps the array from being a constant, and is not read.",
  },
  {
    file: "adapters/jax.ts",
    before: "    if (lengths.has(buffer) && (parameters.length > 0 || lengths.get(buffer) !== length)) {",
    after: "    if (lengths.has(buffer) && (parameters.length > 1 || lengths.get(buffer) !== length)) {",
    reason: "With one parameter there is one update, whose buffer comes first.",
  },
  {
    file: "adapters/jax.ts",
    before: "let zeros = new Float32Array(0);",
    after: "let zeros = new Float32Array(1);",
    reason: "It grows where it is too short.",
  },
  {
    file: "adapters/jax.ts",
    before: "  if (size > zeros.length) zeros = new Float32Array(size);",
    after: "  if (size >= zeros.length) zeros = new Float32Array(size);",
    reason: "It only costs an array.",
  },
  {
    file: "adapters/jax.ts",
    before: '  const flags = np.array(new Uint32Array(1), { shape: [], device: "webgpu" });',
    after: '  const flags = np.array(new Uint32Array(2), { shape: [], device: "webgpu" });',
    reason: "jax-js makes one word of any number of zeros: the shape says how many.",
  },
  {
    file: "adapters/goesOn.ts",
    before:
      "  const [oldWords, words] = [old, now].map((memory) => (memory as Remembered).toWords(0)) as [Uint32Array, Uint32Array];",
    after:
      "  const [oldWords, words] = [old, now].map((memory) => (memory as Remembered).toWords(1)) as [Uint32Array, Uint32Array];",
    reason: "Only which words differ is read, and how many there are.",
  },
  {
    file: "adapters/goesOn.ts",
    before: "  const wordsOf = (norms: number) => begin(norms).toWords(0).length;",
    after: "  const wordsOf = (norms: number) => begin(norms).toWords(1).length;",
    reason: "Only how many words there are is read.",
  },
];
