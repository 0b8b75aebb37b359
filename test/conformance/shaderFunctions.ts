/** Functions of the shaders, called directly: one small kernel, one dispatch, many inputs. */
import { fail } from "./expect.ts";
import { COPY_SRC, STORAGE } from "./harness-webgpu.ts";
import type { WebGpuHarness } from "./types.ts";

const LANES = 64;

export interface Call {
  /** The functions. */
  readonly text: string;
  /** What fills `put(k, word)` for the numbers of results from the words `at(k)` of one input. */
  readonly body: string;
  readonly inputWords: number;
  readonly resultWords: number;
}

/** A word behind the inputs: test/mutants chooses by it among the mutants in a text. */
export const behindInputs = { word: 0 };

/** The words of all results, in the order of the inputs. */
export async function resultsOf(harness: WebGpuHarness, call: Call, inputs: Uint32Array): Promise<Uint32Array> {
  const { device } = harness;
  const { text, body, inputWords, resultWords } = call;
  const count = inputs.length / inputWords;
  const code = `${text}
@group(0) @binding(0) var<storage, read> callInputs: array<u32>;
@group(0) @binding(1) var<storage, read_write> callResults: array<u32>;
var<private> callNumber: u32;

fn at(k: u32) -> u32 {
  return callInputs[callNumber * ${inputWords}u + k];
}

fn put(k: u32, word: u32) {
  callResults[callNumber * ${resultWords}u + k] = word;
}

@compute @workgroup_size(${LANES})
fn main(@builtin(global_invocation_id) id: vec3u) {
  callNumber = id.x;
  if (callNumber >= ${count}u) {
    return;
  }
${body}
}
`;
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
  const words = new Uint32Array(inputs.length + 1);
  words.set(inputs);
  words[inputs.length] = behindInputs.word;
  const given = harness.bufferOf(words, STORAGE);
  const results = harness.bufferOf(new Uint32Array(resultWords * count), STORAGE | COPY_SRC);
  const entries = [given, results].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(count / LANES));
  pass.end();
  device.queue.submit([encoder.finish()]);
  const [found = new Uint32Array()] = await harness.readBuffers([results]);
  return found;
}

/** What a function makes, made once: a case may run for many mutants. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Fails with what is wrong in the results of the inputs. An input may have fewer words than the call. */
export async function checkEach<Input>(
  harness: WebGpuHarness,
  call: Call,
  inputs: readonly Input[],
  wordsFor: (input: Input) => readonly number[],
  wrongIn: (input: Input, words: Uint32Array) => readonly string[],
): Promise<void> {
  const given = new Uint32Array(call.inputWords * inputs.length);
  inputs.forEach((input, i) => {
    given.set(wordsFor(input), call.inputWords * i);
  });
  const words = await resultsOf(harness, call, given);
  const wrong = inputs.flatMap((input, i) =>
    wrongIn(input, words.subarray(call.resultWords * i, call.resultWords * (i + 1))).map((what) => ({ what, input })),
  );
  const shown = wrong.slice(0, 5).map(({ what, input }) => `${what}, of ${JSON.stringify(input)}`);
  if (wrong.length > 0) fail(`${wrong.length} wrong:\n  ${shown.join("\n  ")}`);
}
