import root from "../../shaders/norms/linf_root.wgsl?raw";
import terms from "../../shaders/norms/linf_terms.wgsl?raw";
import { addTerms } from "../cpu/terms.ts";
import type { NormKind } from "./norm.ts";

export const linf: NormKind = {
  name: "linf",
  terms,
  root,
  fixedPower: 0,
  // The sum only shows whether a value is not finite.
  add: (found, values) => addTerms(found, values, (value) => 0 * value),
  isRelative: false,
  norm: (_, largest) => largest,
};
