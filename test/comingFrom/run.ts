import * as gradclip from "../../src/index.ts";

/** One of our lines, prepared and run on arrays. */
export interface Step {
  readonly gradients: gradclip.Gradients;
  readonly clip: gradclip.Clip;
  readonly report: gradclip.ClipReport;
  /** All code of the cell, the line itself being the first. */
  readonly code: readonly string[];
}

/** What a reader who copies a line from the page has. */
const CONTEXT = { norm: 10, examples: 2 };

/** A line as the page has it: what follows the gradients in `prepare`. */
export function lineOf(code: string): [gradclip.ClipMethod, gradclip.ClipOptions?] {
  const names = { ...gradclip, ...CONTEXT };
  return new Function(...Object.keys(names), `return [${code}];`)(...Object.values(names));
}

const clipper = gradclip.createClipper({ backend: "cpu" });

export async function runLine(code: readonly string[], gradients: gradclip.Gradients): Promise<Step> {
  const clip = (await clipper).prepare(gradients, ...lineOf(code[0] as string));
  clip.run();
  return { gradients, clip, report: await clip.report(), code };
}

/** The values of the gradients, where they are now. */
export function valuesOf(gradients: gradclip.Gradients): number[][] {
  const list = Symbol.iterator in gradients ? [...gradients] : Object.values(gradients);
  return list.flatMap((gradient) => {
    if (!gradient) return [];
    const { buffer, into }: { buffer?: unknown; into?: { buffer: unknown } } =
      gradient instanceof Float32Array ? { buffer: gradient } : (gradient as gradclip.GradientView);
    return [[...((into?.buffer ?? buffer) as Float32Array)]];
  });
}

export function arrays(...gradients: (readonly number[])[]): Float32Array[] {
  return gradients.map((values) => Float32Array.from(values));
}
