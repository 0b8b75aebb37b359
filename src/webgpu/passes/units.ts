import { struct } from "../../struct.ts";
import { type Axis, MOST_AXES } from "../../units.ts";

/** As in shaders/shared/units.wgsl. */
export const numberingStruct = struct(
  "period0",
  "period1",
  "period2",
  "stride",
  "change0",
  "change1",
  "change2",
  "unused",
);
const NEVER = 0xffffffff;

/** The fields of a numberingStruct for axes from the innermost out, with the periods and changes of further axes. */
export function numberingOf(axes: readonly Axis[]): Readonly<Record<string, number>> {
  const values: Record<string, number> = { stride: axes[0]?.stride ?? 0 };
  let period = 1;
  for (let i = 0; i < MOST_AXES - 1; i++) {
    const [axis, next] = axes.slice(i);
    period *= axis?.length ?? 1;
    values[`period${i}`] = next ? period : NEVER;
    values[`change${i}`] = axis && next ? next.stride - axis.length * axis.stride : 0;
  }
  return values;
}
