/** The conformance suite, group by group in the order asked for, until a case fails: what a mutant runs. */
import { allCases, type Environment, runConformance as runAll, type Totals } from "../conformance/index.ts";

/** `environment.filter`: names of groups, with commas between them. */
export function runConformance({ filter = "", onResult, ...rest }: Environment): Promise<Totals> {
  const all = allCases();
  const cases = filter.split(",").flatMap((group) => {
    const found = all.filter(({ name }) => name.startsWith(`${group}: `));
    if (found.length === 0) throw new Error(`The suite has no group "${group}".`);
    return found;
  });
  const stopAtFailure: Environment["onResult"] = (result) => {
    onResult?.(result);
    if (result.error !== undefined) throw new Error(result.name);
  };
  return runAll({ ...rest, cases, heavy: false, onResult: stopAtFailure });
}
