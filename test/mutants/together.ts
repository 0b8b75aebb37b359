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
  /decided_one|flags_of_each|is_(norm_|loss_)?spike\(|bound_for|counted_term|clamped_|folded|found_from|summed|distances\(|limit_of/;

const declaration: Form = (line, afters) => {
  const [, name = "", value] = /^(?:let|var) (\w+) = (.*);$/.exec(line) ?? [];
  if (value === undefined || CHANGES.test(value)) return undefined;
  const all = afters.map(([number, after]) => {
    return `if (${isChosen(number)}) { ${after.replace(/^(let|var) /, "")} }`;
  });
  return [`var ${name} = ${value};`, ...all].join("\n");
};

const CONDITION = /^((?:\} else )?if |while )\((.*)\) \{$/;

const condition: Form = (line, afters) => {
  const [, before = "", value] = CONDITION.exec(line) ?? [];
  if (value === undefined || CHANGES.test(value)) return undefined;
  // In parentheses: `a < b, c > d` would be one name.
  const all = afters.map(([number, after]) => `, (${CONDITION.exec(after)?.[2] ?? "false"}), ${isChosen(number)})`);
  const goesOn = before === "while " ? ` && ${GOES_ON}()` : "";
  return [`${before}(${"select(".repeat(all.length)}(${value})`, ...all, `${goesOn}) {`].join("\n");
};

/** The head of a loop: what it begins with, how long it goes on, and its step. */
const LOOP = /^for \((?:var (\w+) = (.*?))?; (.*?);(?: (\w+) (?:([-+])= (.*)|= (.*)))?\) \{$/;

/** The last is what the counter becomes. */
function partsOf(line: string): [begin: string, while_: string, next: string] | undefined {
  const [found, , begin = "", condition = "", counter = "", sign, by, next = ""] = LOOP.exec(line) ?? [];
  return found === undefined ? undefined : [begin, condition, sign ? `${counter} ${sign} (${by})` : next];
}

const loop: Form = (line, afters) => {
  const parts = partsOf(line);
  const [, name, , , counter] = LOOP.exec(line) ?? [];
  if (!parts || CHANGES.test(line)) return undefined;
  const [begin, condition, next] = parts.map((part, k) =>
    afters.reduce((chosen, [number, after]) => {
      const other = partsOf(after)?.[k] ?? part;
      return other === part ? chosen : `select(${chosen}, (${other}), ${isChosen(number)})`;
    }, `(${part})`),
  );
  const [first, last] = [name ? `var ${name} = ${begin}` : "", counter ? `${counter} = ${next}` : ""];
  return `for (${first}; ${condition} && ${GOES_ON}(); ${last}) {`;
};

const GOES_ON = "goesOn";
/** A loop that has no end would take the process with it. The longest of a case has half as many turns. */
const END = `
var<private> turns: u32;
fn ${GOES_ON}() -> bool {
turns = min(turns + 1u, 100000u);
return turns < 100000u;
}`;

/** Loops without a mutant end too. */
const ended = (lines: readonly string[]) => {
  const line = lines.join(" ");
  return loop(line, []) ?? (line.startsWith("while ") ? condition(line, []) : undefined) ?? lines;
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
  const [, name = ""] = /^const (\w+) = .*;$/.exec(line) ?? [];
  if (name === "") return undefined;
  const all = afters.map(([number, after]) => `//constant ${name} ${number} ${/ = (.*);$/.exec(after)?.[1]}`);
  return [line, ...all].join("\n");
};

const FORMS = [constant, statement, declaration, condition, loop, inOneLine];

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
    if (afters.length === 0) return ended(lines);
    const numbered = afters.map(({ after }, i) => [numbers.size + 1 + i, after] as const);
    const form = FORMS.map((one) => one(lines.join(" "), numbered)).find((found) => found !== undefined);
    if (form === undefined) return ended(lines);
    for (const { mutant } of afters) numbers.set(mutant, numbers.size + 1);
    return form;
  });
  return { text: `${changed.join("\n")}${END}`, numbers };
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

/** A line in which another constant, or the length of an array, may follow from one: no mutant can choose among those. */
const isDeclared = (line: string) => /^(const|override|alias|var<|@|\/\/)/.test(line.trim());

/** A whole module: a constant is another one where its mutant is chosen. */
export function withConstants(code: string): string {
  const changes = [...code.matchAll(/^\/\/constant (\w+) (\d+) (.*)$/gm)];
  return [...new Set(changes.map(([, name = ""]) => name))].reduce((text, name) => {
    const chosen = changes
      .filter(([, other]) => other === name)
      .reduce((value, [, , number, other]) => `select(${value}, ${other}, ${isChosen(Number(number))})`, name);
    const use = new RegExp(`\\b${name}\\b`, "g");
    const lines = text.split("\n");
    const others = lines.filter((line) => isDeclared(line) && !/^(\/\/|const \w+ = )/.test(line.trim()));
    const declared = lines.filter((line) => new RegExp(`^const (?!${name}\\b).*\\b${name}\\b`).test(line));
    if (declared.length > 0 || others.some((line) => line.search(use) >= 0)) return text;
    return lines.map((line) => (isDeclared(line) ? line : line.replace(use, chosen))).join("\n");
  }, code);
}

/** The number of a mutant in a line that does not compile. */
export function wrongIn(text: string, lineNumber: number): number | undefined {
  const [, number] = /mutantNumber == (\d+)u/.exec(text.split("\n")[lineNumber - 1] ?? "") ?? [];
  return number === undefined ? undefined : Number(number);
}

/** A module without one of the mutants. */
export function withoutNumber(code: string, number: number): string {
  const mark = isChosen(number);
  const lines = code.split("\n").filter((line) => !new RegExp(`^//constant \\w+ ${number} `).test(line));
  const left = lines.map((line) => (!line.includes(mark) ? line : line.startsWith("if (") ? "" : ", false, false)"));
  return left.join("\n");
}
