import root from "../../shaders/norms/l1_root.wgsl?raw";
import terms from "../../shaders/norms/l1_terms.wgsl?raw";
import { addTerms } from "../cpu/terms.ts";
import type { NormKind } from "./norm.ts";

export const l1: NormKind = {
  name: "l1",
  terms,
  root,
  fixedPower: 0,
  add: (found, values) => addTerms(found, values, Math.abs),
  isRelative: false,
  norm: (sum) => sum,
};
