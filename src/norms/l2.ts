import root from "../../shaders/norms/l2_root.wgsl?raw";
import terms from "../../shaders/norms/l2_terms.wgsl?raw";
import { addSquares } from "../cpu/terms.ts";
import type { NormKind } from "./norm.ts";

export const l2: NormKind = {
  name: "l2",
  terms,
  root,
  fixedPower: 0,
  add: addSquares,
  isRelative: false,
  norm: (sum) => Math.sqrt(sum),
};
