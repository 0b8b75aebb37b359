/**
 * Kernels as functions for shaderFunctions.ts: each invocation is a workgroup of one lane with memory of its own, so
 * that one dispatch runs a kernel on thousands of inputs. What lanes share is left to the other cases.
 */
import root from "../../shaders/norms/l2_root.wgsl?raw&named";
import decide from "../../shaders/shared/decide.wgsl?raw&named";
import fold from "../../shaders/shared/fold.wgsl?raw&named";
import partial from "../../shaders/shared/partial.wgsl?raw&named";
import softFloat from "../../shaders/shared/soft_float.wgsl?raw&named";
import workgroup from "../../shaders/shared/workgroup.wgsl?raw&named";
import { type Filling, resolved } from "../../src/webgpu/template.ts";

const TEXTS = {
  "shared/decide": decide,
  "shared/fold": fold,
  "shared/partial": partial,
  "shared/soft_float": softFloat,
  "shared/workgroup": workgroup,
  root,
};
const CONDITIONS = { STATE: true };

/** By the names of bindings. */
export type Lengths = Readonly<Record<string, number>>;

/**
 * A resolved text whose bindings are memory of an invocation. Arrays without an end get `elements`, or what `lengths` says: SwiftShader
 * compiles a store for each word of this memory. And `main` becomes `kernel`.
 */
export function alone(text: string, elements: number, lengths: Lengths = {}): string {
  return text
    .replace(/(var<[^>]*> (\w+): )array<(\w+)(?:, \d+)?>/g, (whole, head, name, type) =>
      name in lengths ? `${head}array<${type}, ${lengths[name]}>` : whole,
    )
    .replace(/@group\(\d\) @binding\(\d\) var<[^>]*>/g, "var<private>")
    .replaceAll("var<workgroup>", "var<private>")
    .replaceAll("workgroupBarrier();", "")
    .replace(/array<(\w+)>/g, `array<$1, ${elements}>`)
    .replace(/arrayLength\(&([\w.]+)\)/g, (_, name) => `${lengths[name] ?? elements}u`)
    .replace(/@compute .*\nfn main/, "fn kernel")
    .replace(/@builtin\(\w+\) /g, "");
}

/** The same of a kernel that imports shared/decide and shared/fold. */
export function asFunctions(
  kernel: string,
  { texts, conditions, tokens }: Filling,
  elements: number,
  lengths?: Lengths,
): string {
  const filling = {
    texts: { ...TEXTS, ...texts },
    conditions: { ...CONDITIONS, ...conditions },
    tokens: { WORKGROUP_SIZE: "1", ...tokens },
  };
  return alone(resolved(kernel, filling), elements, lengths);
}

/** Statements that read fields from the words of an input, in this order from `first`. `(i)` behind a name: an i32. */
export function readInto(fields: readonly string[], first = 0): string {
  return fields
    .map((field, k) => {
      const isSigned = field.endsWith("(i)");
      const name = isSigned ? field.slice(0, -3) : field;
      return `${name} = ${isSigned ? `i32(at(${first + k}u))` : `at(${first + k}u)`};`;
    })
    .join("\n");
}

/** Statements that write what expressions tell as the words of a result. */
export function putAll(expressions: readonly string[], first = 0): string {
  return expressions.map((expression, k) => `put(${first + k}u, u32(${expression}));`).join("\n");
}
