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
  {
    file: "adapters/tfjs.ts",
    before: "      const [iterations = 0] = await saved.tensor.data();",
    after: "      const [iterations = 1] = await saved.tensor.data();",
    reason: "A saved scalar has a value.",
  },
  {
    file: "adapters/tfjs/keepOnSkip.ts",
    before: "  const shape = before.shape.length > 1 ? before.shape : [1, before.size];",
    after: "  const shape = before.shape.length > 2 ? before.shape : [1, before.size];",
    reason: "A matrix may be a row: it only costs a reshape.",
  },
  {
    file: "adapters/tfjs/webgpu.ts",
    before: '  return tf.tensor({ buffer: record, zeroCopy: true }, [record.size / 4], "int32");',
    after: '  return tf.tensor({ buffer: record, zeroCopy: true }, [record.size / 5], "int32");',
    reason: "The flags are among the first words.",
  },
  {
    file: "adapters/tfjs/webgl.ts",
    before:
      "      method.rule.weight?.({ group: number, count: 1, valuesPerGroup: count, absent: false } as GroupRun) ?? 0;",
    after:
      "      method.rule.weight?.({ group: number, count: 2, valuesPerGroup: count, absent: false } as GroupRun) ?? 0;",
    reason: "No rule reads the count.",
  },
  {
    file: "adapters/tfjs/webgl.ts",
    before:
      "    const bound = (method.rule as Decider).boundFor({ norm: 0, maxNorm: values.maxNorm, weight, parameterNorm: 0 });",
    after:
      "    const bound = (method.rule as Decider).boundFor({ norm: 0, maxNorm: values.maxNorm, weight, parameterNorm: 1 });",
    reason: "The one rule that reads it has units.",
  },
  {
    file: "adapters/tfjs/webgl.ts",
    before: "    const texels = ofMembers.reduce((sum, one) => sum + texelsIn(one), 0);",
    after: "    const texels = ofMembers.reduce((sum, one) => sum + texelsIn(one), 1);",
    reason: "It chooses how many lanes there are: any number is right.",
  },
  {
    file: "adapters/tfjs/webgl.ts",
    before: "    const shape: [number, number] = [2, 2 * lanes];",
    after: "    const shape: [number, number] = [2, 3 * lanes];",
    reason: "More zeros change nothing.",
  },
  {
    file: "adapters/tfjs/webgl.ts",
    before: "    if (members.length > 1) {",
    after: "    if (members.length > 2) {",
    reason: "Folded before or in each program: it only costs reads.",
  },
  {
    file: "adapters/tfjs/webgl.ts",
    before: '      const number = groupOf?.(declared) ?? (grouping.kind === "tensor" || units ? place : 0);',
    after: '      const number = groupOf?.(declared) ?? (grouping.kind === "tensor" || units ? place : 1);',
    reason: "A single group may have any number.",
  },
  {
    file: "adapters/tfjs/webglPrograms.ts",
    before: "    for (int i = 0, lanes = textureSize(S, 0).x; i < lanes; i++) {",
    after: "    for (int i = 0, lanes = textureSize(S, 0).x; i <= lanes; i++) {",
    reason: "Outside of a texture a WebGL program reads zeros.",
  },
  {
    file: "adapters/tfjs/webglPrograms.ts",
    before: "    vec4 all = texelFetch(S, ivec2(lane, 0), 0);",
    after: "    vec4 all = texelFetch(S, ivec2(lane, 0), 1);",
    reason: "There is one level, which is read for any other.",
  },
  {
    file: "adapters/tfjs/webglPrograms.ts",
    before: "    vec4 how = texelFetch(D, ivec2(0, 0), 0);",
    after: "    vec4 how = texelFetch(D, ivec2(0, 0), 1);",
    reason: "There is one level, which is read for any other.",
  },
  {
    file: "adapters/tfjs/webglPrograms.ts",
    before: "    [2, 2 * lanes],",
    after: "    [3, 2 * lanes],",
    reason: "The second row of texels is not read.",
  },
  {
    file: "adapters/tfjs/webglPrograms.ts",
    before: "    [2, 2 * RECORD_TEXELS],",
    after: "    [3, 2 * RECORD_TEXELS],",
    reason: "The second row of texels is not read.",
  },
];
