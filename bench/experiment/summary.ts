import type { CellResult } from "./cell.ts";
import { configuration } from "./plan.ts";
export const summarise = (main: CellResult[], long: CellResult[], gpu: CellResult) => ({
  configuration,
  main,
  long,
  gpu,
});
