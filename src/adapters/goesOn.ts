import type { Counts, NumbersBefore } from "../backend.ts";
import type { GradientClip } from "../clip.ts";
import type { GoesOn } from "../clipper.ts";
import { HISTORY_WORDS } from "../history.ts";
import type { ClipMethod } from "../methods/method.ts";
import type { CheckedOptions } from "../options.ts";
import { groupCount } from "../pieces.ts";
import type { Remembered } from "../remembered.ts";
import { type Remembering, remembersEach } from "../rules/rule.ts";
import type { Declared } from "../view.ts";
import { memoryOf } from "../webgpu/backend.ts";

/**
 * For `GradientClipper.prepare`: the new clip goes on where an earlier one is, with its record, memory, counters and history, and the
 * earlier one is destroyed. Submit every encoder that holds it first.
 */
export function goesOnFrom(clip: GradientClip, device: GPUDevice | undefined): GoesOn {
  return {
    clip,
    numbersFor(declared, method) {
      if (!remembersEach(method.rule)) return undefined;
      const numbers = numbersIn(clip, declared, method);
      const isAsBefore = numbers.length === normsOf(clip) && numbers.every((number, i) => number === i);
      return isAsBefore ? undefined : numbers;
    },
    handOver(to, method, options, counts) {
      const { backend } = clip;
      for (const shared of [to.record, to.memory]) {
        if (shared && backend.owned?.delete(shared)) to.owned?.add(shared);
      }
      if (counts.before) to.renumber?.(counts.before);
      const [source, target] = [backend.memory, to.memory];
      if (device && source && target && counts.before) {
        const encoder = device.createCommandEncoder({ label: "gradclip memory" });
        for (const { from, to, count } of copiesOf(clip, method, options, counts)) {
          encoder.copyBufferToBuffer(source, 4 * from, target, 4 * to, 4 * count);
        }
        device.queue.submit([encoder.finish()]);
      }
      clip.destroy();
    },
  };
}

/** Words of a memory. */
interface Copy {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

function normsOf({ list, method }: GradientClip): number {
  return groupCount(list.declared, method.grouping);
}

/** By the names of the gradients that norms are of. */
function numbersIn(clip: GradientClip, declared: readonly Declared[], method: ClipMethod): NumbersBefore {
  const numberOf = ({ grouping }: ClipMethod, tensor: Declared, place: number) =>
    grouping.kind === "groups" ? grouping.groupOf(tensor) : place;
  const known = new Map(clip.list.declared.map((tensor, place) => [tensor.name, numberOf(clip.method, tensor, place)]));
  const numbers: (number | undefined)[] = Array(groupCount(declared, method.grouping)).fill(undefined);
  for (const [place, tensor] of declared.entries()) numbers[numberOf(method, tensor, place)] ??= known.get(tensor.name);
  return numbers;
}

/** A memory on the GPU: the history, the structs, the list of the norms, then the list of the skip rule. */
function copiesOf(clip: GradientClip, method: ClipMethod, options: CheckedOptions, counts: Counts): Copy[] {
  const [old, now] = [normsOf(clip), counts.groups].map((norms) => memoryOf(method, options, norms) as Remembered);
  const [oldWords, words] = [old, now].map((memory) => (memory as Remembered).toWords(0)) as [Uint32Array, Uint32Array];
  const { headWords } = now as Remembered;
  const { begin } = method.rule as Remembering;
  const [none = 0, one = 0] = [0, 1].map((norms) => begin(norms).toWords(0).length);
  const wordsANorm = one - none;
  // Where a list begins is a setting: it differs already before the first step.
  const heads = Array.from({ length: headWords }, (_, at) => ({ from: at, to: at, count: 1 })).filter(
    ({ from }) => oldWords[from] === words[from],
  );
  const norms = (counts.before as NumbersBefore).flatMap((number, i) =>
    number === undefined
      ? []
      : [{ from: headWords + wordsANorm * number, to: headWords + wordsANorm * i, count: wordsANorm }],
  );
  const endOf = (norms: number) => headWords + wordsANorm * norms;
  const end = endOf(counts.groups);
  const skip = { from: endOf(normsOf(clip)), to: end, count: words.length - end };
  const history = HISTORY_WORDS * (options.history ?? 0);
  const behind = [...heads, ...norms, skip].map(({ from, to, count }) => ({
    from: history + from,
    to: history + to,
    count,
  }));
  return [{ from: 0, to: 0, count: history }, ...behind].filter(({ count }) => count > 0);
}
