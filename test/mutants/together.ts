/** Many mutants of a shader in one text: `mutantNumber` chooses among them, so that a kernel compiles once for all. */
import type { Mutant } from "./operators.ts";

/** What a statement becomes with its mutants; undefined if it has another form. */
type Form = (line: string, afters: readonly (readonly [number: number, after: string])[]) => string | undefined;

export const NUMBER = "mutantNumber";

const isChosen = (number: number) => `${NUMBER} == ${number}u`;

/** Each mutant has a line of its own, which `without` takes out. */
const statement: Form = (line, afters) => {
  if (!/^(?!(let|var|const|fn|for|while|struct|switch|case|default)\b|[}/&|+]).*;$/.test(line)) return undefined;
  return [...afters.map(([number, after]) => `if (${isChosen(number)}) { ${after} } else`), `{ ${line} }`].join("\n");
};

/** Some functions change what they find, so that they must not run twice. */
const CHANGES =
  /decided_one|flags_of_each|is_(norm_|loss_)?spike\(|bound_for|counted_term|folded|found_from|summed|distances\(|limit_of/;

const declaration: Form = (line, afters) => {
  const [, name = "", value] = /^(?:let|var) (\w+) = (.*);$/.exec(line) ?? [];
  if (value === undefined || CHANGES.test(value)) return undefined;
  const all = afters.map(([number, after]) => {
    return `if (${isChosen(number)}) { ${after.replace(/^(let|var) /, "")} }`;
  });
  return [`var ${name} = ${value};`, ...all].join("\n");
};

const CONDITION = /^((?:\} else )?if )\((.*)\) \{$/;

const condition: Form = (line, afters) => {
  const [, before = "", value] = CONDITION.exec(line) ?? [];
  if (value === undefined || CHANGES.test(value)) return undefined;
  const all = afters.map(([number, after]) => `, ${CONDITION.exec(after)?.[2] ?? "false"}, ${isChosen(number)})`);
  return [`${before}(${"select(".repeat(all.length)}${value}`, ...all, ") {"].join("\n");
};

const inOneLine: Form = (line, afters) => {
  const [, before = "", body] = /^(fn .*? \{ )(return .*;) \}$/.exec(line) ?? [];
  if (body === undefined) return undefined;
  const inner = statement(
    body,
    afters.flatMap(([number, after]) =>
      after.startsWith(before) ? [[number, after.slice(before.length, -" }".length)]] : [],
    ),
  );
  return `${before}\n${inner}\n}`;
};

/** Its uses, in other files too, are changed where the module is made: see `withConstants`. */
const constant: Form = (line, afters) => {
  const [, name = ""] = /^const (\w+) = \w+;$/.exec(line) ?? [];
  if (name === "") return undefined;
  const all = afters.map(([number, after]) => `//constant ${name} ${/ = (\w+);$/.exec(after)?.[1]} ${number}`);
  return [line, ...all].join("\n");
};

const FORMS = [constant, statement, declaration, condition, inOneLine];

export interface Together {
  readonly text: string;
  /** From 1; a mutant of a statement with another form has none. */
  readonly numbers: ReadonlyMap<Mutant, number>;
}

export function together(text: string, mutants: readonly Mutant[]): Together {
  const numbers = new Map<Mutant, number>();
  const seen = new Map<string, number>();
  const changed = statementsOf(text.split("\n")).flatMap((lines) => {
    const afters = lines.flatMap((line, i) => {
      const nth = seen.get(line) ?? 0;
      seen.set(line, nth + 1);
      const mine = mutants.filter(({ before, nth: which }) => before === line && which === nth);
      return mine.map((mutant) => ({ mutant, after: lines.map((one, k) => (k === i ? mutant.after : one)).join(" ") }));
    });
    if (afters.length === 0) return lines;
    const numbered = afters.map(({ after }, i) => [numbers.size + 1 + i, after] as const);
    const form = FORMS.map((one) => one(lines.join(" "), numbered)).find((found) => found !== undefined);
    if (form === undefined) return lines;
    for (const { mutant } of afters) numbers.set(mutant, numbers.size + 1);
    return form;
  });
  return { text: changed.join("\n"), numbers };
}

/** Lines that belong together. */
function statementsOf(lines: readonly string[]): string[][] {
  const statements: string[][] = [];
  let isWhole = true;
  for (const line of lines) {
    const isDirective = line.startsWith("//#");
    if (isWhole || isDirective) statements.push([line]);
    else statements.at(-1)?.push(line);
    isWhole = isDirective || /[;{}]$/.test(line);
  }
  return statements;
}

/** A whole module: a constant is another one where its mutant is chosen. */
export function withConstants(code: string): string {
  let text = code;
  for (const [, name = "", value, number] of code.matchAll(/^\/\/constant (\w+) (\w+) (\d+)$/gm)) {
    const isUsed = new RegExp(`\\b${name}\\b(?!, \\w+, mutantNumber)`, "g");
    const lines = text.split("\n").map((line) => {
      if (/^(const|override|alias|var<|@|\/\/)/.test(line.trim())) return line;
      return line.replace(isUsed, `select(${name}, ${value}, mutantNumber == ${number}u)`);
    });
    text = lines.join("\n");
  }
  return text;
}

/** The number of a mutant in a line that does not compile. */
export function wrongIn(text: string, lineNumber: number): number | undefined {
  const [, number] = /mutantNumber == (\d+)u/.exec(text.split("\n")[lineNumber - 1] ?? "") ?? [];
  return number === undefined ? undefined : Number(number);
}

export function withoutNumber(text: string, number: number): string {
  const mark = isChosen(number);
  const use = new RegExp(`select\\((\\w+), \\w+, ${mark}\\)`, "g");
  const lines = text.replace(use, "$1").split("\n");
  const left = lines.map((line) => (!line.includes(mark) ? line : line.startsWith("if (") ? "" : ", false, false)"));
  return left.join("\n");
}
