/** Runs the examples of the documentation. */
import { readFileSync } from "node:fs";

const repository = new URL("../../", import.meta.url);

type Example = (context: Record<string, unknown>, result: string) => Promise<unknown>;

/**
 * The examples of a page, or of one of its sections, as functions. A function takes the reader's variables and returns the
 * expression `result`. `packages` holds the imported packages by name.
 */
export function examplesOf(page: string, packages: Record<string, unknown> = {}, section?: string): Example[] {
  return bodiesOf(page, section).map((body) => async (context, result) => {
    const names = Object.keys(context);
    const run = new Function("packages", ...names, `return (async () => { ${body}\n return ${result}; })()`);
    return run(packages, ...names.map((name) => context[name]));
  });
}

/** The examples as texts of function bodies. They take their imports from `packages`. */
export function bodiesOf(page: string, section?: string): string[] {
  const whole = readFileSync(new URL(page, repository), "utf8");
  const text =
    section === undefined ? whole : (whole.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? "");
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ""]) =>
    code
      .replace(/^import \* as (\w+) from "(.*)";$/gm, 'const $1 = packages["$2"];')
      .replace(/^import \{(.*)\} from "(.*)";$/gm, (_, names: string, from: string) => {
        return `const {${names.replaceAll(" as ", ": ")}} = packages["${from}"];`;
      }),
  );
}
