import type { MethodName } from "./methods.ts";

/** A method for the third run. */
export interface Choice {
  name: MethodName;
  /** In the list. */
  label: string;
  /** Of the run. */
  title: string;
  /** What the slider of the third run sets, and where it stands at first. */
  slider: string;
  usual: number;
}

const bound = "Bound of the third run";

export const choices: readonly Choice[] = [
  { name: "norm", label: "clipByGlobalNorm: all by one norm", title: "by norm", slider: bound, usual: 1 },
  {
    name: "each tensor",
    label: "clipByNorm: each tensor by its own",
    title: "by each tensor's norm",
    slider: bound,
    usual: 1,
  },
  {
    name: "block RMS",
    label: "clipByBlockRms: each tensor by its RMS",
    title: "by each tensor's RMS",
    slider: "Largest RMS of a tensor",
    usual: 0.05,
  },
  {
    name: "each unit",
    label: "adaptiveGradClip: each unit beside its weights",
    title: "by each unit's weights",
    slider: "Gradient ÷ weight, at most",
    usual: 0.1,
  },
  {
    name: "autoClip",
    label: "autoClip: a percentile of the norms so far",
    title: "by autoClip",
    slider: "Bound, until there are norms to go by",
    usual: 50,
  },
  {
    name: "zClip",
    label: "zClip: what stands out of the norms so far",
    title: "by zClip",
    slider: "Bound, until there are norms to go by",
    usual: 50,
  },
];

export function choiceOf(name: MethodName): Choice {
  return choices.find((choice) => choice.name === name) ?? (choices[0] as Choice);
}
