// What the page calls things. The results keep the harness's own names.

import { ALWAYS, ATOMIC, COPY, PER_TENSOR, READ, READ_AND_WRITE, RECORD, UNCLIPPED } from "../../bench/names.ts";
import type { Row } from "../../bench/types.ts";

const contestants: Readonly<Record<string, string>> = {
  [UNCLIPPED]: "gradclip, nothing to clip",
  [RECORD]: "gradclip, the optimizer scales",
  [ALWAYS]: "gradclip, always multiplying",
  [PER_TENSOR]: "two dispatches per tensor",
  [ATOMIC]: "one atomic sum",
  [READ]: "reading alone",
  [READ_AND_WRITE]: "reading and writing alone",
  [COPY]: "the device's own copy",
};

export function contestantLabel(name: string): string {
  return contestants[name] ?? name;
}

/** "one of 64 Ki, f32" is one gradient of 65,536 values. */
export function workloadLabel(name: string): string {
  const [, count = "", unit, dtype] = /^one of ([\d.]+) (Ki|Mi), (f32|f16)$/.exec(name) ?? [];
  if (!unit) return name.replace(/, f16$/, ", 16 bits a value");
  const values = Number(count) * (unit === "Ki" ? 2 ** 10 : 2 ** 20);
  return `One gradient of ${values.toLocaleString("en")} values${dtype === "f16" ? ", 16 bits a value" : ""}`;
}

export function answerText({ verdict, reason, error = 0 }: Row): string {
  if (verdict === "failed") return `no answer: ${reason}`;
  if (verdict === "wrong") return `wrong: ${reason}`;
  return error === 0 ? "exact" : `correct (error ${error.toExponential(0)})`;
}
