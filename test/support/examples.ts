/** The examples of the documentation, run as they stand. */
import { readFileSync } from "node:fs";

const repository = new URL("../../", import.meta.url);

type Example = (context: Record<string, unknown>, result: string) => Promise<unknown>;

/**
 * The examples of a page, or of one of its sections, as functions of what the reader is supposed to have and returning
 * what `result` names. `packages` holds what the examples import, by name.
 */
export function examplesOf(page: string, packages: Record<string, unknown> = {}, section?: string): Example[] {
  const whole = readFileSync(new URL(page, repository), "utf8");
  const text =
    section === undefined ? whole : (whole.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? "");
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ""]) => async (context, result) => {
    const body = code
      .replace(/^import \* as (\w+) from "(.*)";$/gm, 'const $1 = packages["$2"];')
      .replace(/^import \{(.*)\} from "(.*)";$/gm, (_, names: string, from: string) => {
        return `const {${names.replaceAll(" as ", ": ")}} = packages["${from}"];`;
      });
    const names = Object.keys(context);
    const run = new Function("packages", ...names, `return (async () => { ${body}\n return ${result}; })()`);
    return run(packages, ...names.map((name) => context[name]));
  });
}
