import type { GradientClipper } from "../clipper.ts";
import type { GradientClip } from "../gradientClip.ts";
import type { Gradients } from "../gradients.ts";
import { HISTORY_WORDS } from "../history.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { ClipOptions } from "../options.ts";
import { groupCount } from "../pieces.ts";
import type { Remembered } from "../remembered.ts";
import { type Remembering, remembersEach } from "../rules/rule.ts";
import type { Declared } from "../view.ts";
import { memoryOf } from "../webgpu/backend.ts";

/** The number that each norm had before; undefined for one that is new. */
type NumbersBefore = readonly (number | undefined)[];

/**
 * A clip with the method and the options of an earlier one, for other gradients. It goes on where the earlier one is, with its record,
 * memory, counters and history, and the earlier one is destroyed. Submit every encoder that holds it first.
 */
export function goOn(
  clipper: GradientClipper,
  earlier: GradientClip,
  gradients: Gradients,
  method: ClipMethod,
  options: ClipOptions | undefined,
): GradientClip {
  let numbers: NumbersBefore | undefined;
  const { kept, owned } = earlier.backend;
  const clip = clipper.prepare(gradients, method, options, ({ declared }, resolved) => {
    numbers = numbersFor(earlier, declared, resolved);
    // Where norms have numbers, the memory on the GPU is copied below.
    return numbers && kept.memory ? { ...kept, memory: undefined } : kept;
  });
  clip.goOnFrom(earlier);
  const now = clip.backend;
  for (const shared of [now.kept.record, now.kept.memory]) {
    if (shared && owned?.delete(shared)) now.owned?.add(shared);
  }
  if (numbers) {
    kept.ruleState?.renumber?.(numbers);
    if (clipper.device) copyMemory(clipper.device, earlier, clip, numbers);
  }
  earlier.destroy();
  return clip;
}

/** Where norms are remembered: they may have other numbers now. */
function numbersFor(
  earlier: GradientClip,
  declared: readonly Declared[],
  method: ClipMethod,
): NumbersBefore | undefined {
  return remembersEach(method.rule) ? numbersIn(earlier, declared, method) : undefined;
}

function copyMemory(device: GPUDevice, earlier: GradientClip, clip: GradientClip, numbers: NumbersBefore): void {
  const [source, target] = [earlier, clip].map(({ backend }) => backend.kept.memory) as [GPUBuffer, GPUBuffer];
  const encoder = device.createCommandEncoder({ label: "gradclip memory" });
  for (const { from, to, count } of copiesOf(earlier, clip, numbers)) {
    encoder.copyBufferToBuffer(source, 4 * from, target, 4 * to, 4 * count);
  }
  device.queue.submit([encoder.finish()]);
}

/** Words of a memory. */
interface Copy {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

function normsOf({ list, resolved }: GradientClip): number {
  return groupCount(list.declared, resolved.grouping);
}

/** By the names of the gradients that norms are of. */
function numbersIn(clip: GradientClip, declared: readonly Declared[], method: ClipMethod): NumbersBefore {
  const numberOf = ({ grouping }: ClipMethod, tensor: Declared, place: number) =>
    grouping.kind === "groups" ? grouping.groupOf(tensor) : place;
  const known = new Map(
    clip.list.declared.map((tensor, place) => [tensor.name, numberOf(clip.resolved, tensor, place)]),
  );
  const numbers: (number | undefined)[] = Array(groupCount(declared, method.grouping)).fill(undefined);
  for (const [place, tensor] of declared.entries()) numbers[numberOf(method, tensor, place)] ??= known.get(tensor.name);
  return numbers;
}

/** A memory on the GPU: the structs, the list of the norms, the list of the skip rule, a word, then the history. */
function copiesOf(earlier: GradientClip, { resolved, options }: GradientClip, numbers: NumbersBefore): Copy[] {
  const count = normsOf(earlier);
  const [old, now] = [count, numbers.length].map((norms) => memoryOf(resolved, options, norms) as Remembered);
  const [oldWords, words] = [old, now].map((memory) => (memory as Remembered).toWords(0)) as [Uint32Array, Uint32Array];
  const { headWords } = now as Remembered;
  const { begin } = resolved.rule as Remembering;
  const wordsOf = (norms: number) => begin(norms).toWords(0).length;
  const wordsANorm = wordsOf(1) - wordsOf(0);
  // Where a list begins is a setting: it differs already before the first step.
  const heads = Array.from({ length: headWords }, (_, at) => ({ from: at, to: at, count: 1 })).filter(
    ({ from }) => oldWords[from] === words[from],
  );
  const norms = numbers.flatMap((number, i) =>
    number === undefined
      ? []
      : [{ from: headWords + wordsANorm * number, to: headWords + wordsANorm * i, count: wordsANorm }],
  );
  const endOf = (norms: number) => headWords + wordsANorm * norms;
  const end = endOf(numbers.length);
  const skip = { from: endOf(count), to: end, count: words.length - end };
  const history = { from: oldWords.length + 1, to: words.length + 1, count: HISTORY_WORDS * (options.history ?? 0) };
  return [...heads, ...norms, skip, history];
}
