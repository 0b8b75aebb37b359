import root from "../../shaders/norms/lp_root.wgsl?raw";
import terms from "../../shaders/norms/lp_terms.wgsl?raw";
import { addTerms } from "../cpu/terms.ts";
import type { NormKind } from "./norm.ts";

export function lp(p: number): NormKind {
  const shift = 22 - Math.floor(Math.log2(p));
  return {
    name: "lp",
    terms,
    root,
    fixedPower: Math.min(Math.round(p * 2 ** shift), 2 ** 23 - 1) + shift * 2 ** 23,
    add: (found, values, most) => addTerms(found, values, (value) => (Math.abs(value) / (most || 1)) ** p),
    isRelative: true,
    norm: (sum, largest) => largest * sum ** (1 / p),
  };
}
