/** One-token changes of a shader or of the host: what each line could be wrong by. */
export interface Mutant {
  /** The file under shaders/, without the suffix, or under src/, with it. */
  readonly file: string;
  /** The line as it is (of a shader, without comments) and as it is changed; and which of equal lines of the file, from 0. */
  readonly before: string;
  readonly after: string;
  readonly nth: number;
}

interface Operator {
  readonly find: RegExp;
  replace(found: string): string | undefined;
}

const swaps: readonly (readonly [string, string])[] = [
  [" < ", " <= "],
  [" <= ", " < "],
  [" > ", " >= "],
  [" >= ", " > "],
  [" == ", " != "],
  [" != ", " == "],
  [" && ", " || "],
  [" || ", " && "],
  [" + ", " - "],
  [" - ", " + "],
  [" += ", " -= "],
  [" << ", " >> "],
  [" >> ", " << "],
  [" & ", " | "],
  [" | ", " & "],
  [" |= ", " &= "],
  [" === ", " !== "],
  [" !== ", " === "],
  [" ?? ", " && "],
  ["min(", "max("],
  ["max(", "min("],
];

const literally = (text: string) => text.replace(/[|+()?]/g, "\\$&");

const operators: readonly Operator[] = [
  ...swaps.map(([before, after]) => ({
    find: new RegExp(`${/^\w/.test(before) ? "\\b" : ""}${literally(before)}`, "g"),
    replace: () => after,
  })),
  // A constant is one too large.
  {
    find: /(?<![\w.])(?:0x[0-9a-f]+|\d+)(?=[ui]?\b)(?!\.)/g,
    replace: (found) => (found.startsWith("0x") ? nextHex(found) : String(Number(found) + 1)),
  },
  // A condition never holds.
  { find: /(?<=^\s*(?:\} else )?if )\(.*\)(?= \{$)/g, replace: () => "(false)" },
  {
    find: /(?<=^\s*if )\([^()]*(?:\([^()]*\)[^()]*)*\)(?= (?:return|throw|continue|break))/g,
    replace: () => "(false)",
  },
  // A statement is missing.
  {
    find: /^\s*(?!let |var |const |return|struct |fn |alias |break|continue|if |import |export |throw )[A-Za-z_].*;$/g,
    replace: () => ";",
  },
];

/** The largest stays: one more has too many bits. */
function nextHex(found: string): string | undefined {
  const next = BigInt(found) + 1n;
  return next < 1n << 32n ? `0x${next.toString(16)}` : undefined;
}

/** Declarations that no test could miss: another number there does not compile, or is another layout. */
const isDeclaration = (line: string) => /^(@group|@compute|@builtin|struct |alias |\/\/#|requires |enable )/.test(line);

export function shaderMutantsOf(file: string, stripped: string): Mutant[] {
  return mutantsOf(file, stripped, (line) => !isDeclaration(line));
}

/** Types and comments are no behaviour. */
const isBehaviour = (line: string) =>
  !/^\s*\w+\??: [^=(]*;$|^\): .* \{$|\bfunction .*\| undefined.* \{$/.test(line) &&
  !/^\s*(import|(export )?type |export interface|\*|\/\/|\/\*|readonly |`)/.test(line);

export function hostMutantsOf(file: string, source: string): Mutant[] {
  return mutantsOf(file, source, isBehaviour);
}

function mutantsOf(file: string, text: string, isMutable: (line: string) => boolean): Mutant[] {
  const seen = new Map<string, number>();
  return text.split("\n").flatMap((before) => {
    const nth = seen.get(before) ?? 0;
    seen.set(before, nth + 1);
    return isMutable(before) ? changesOf(before).map((after) => ({ file, before, after, nth })) : [];
  });
}

/** Of an error the condition changes, not the text that people read. */
function endOf(line: string): number {
  const [error] = line.matchAll(/(throw )?\bnew \w*Error\(/g);
  return error?.index ?? line.length;
}

/** Whether a place in a line is inside a text in quotes. */
function isQuoted(line: string, index: number): boolean {
  return ['"', "`", "'"].some((quote) => line.slice(0, index).split(quote).length % 2 === 0);
}

function changesOf(line: string): string[] {
  const end = endOf(line);
  return operators.flatMap(({ find, replace }) =>
    [...line.matchAll(find)].flatMap(({ 0: found, index }) => {
      const replaced = replace(found);
      return replaced === undefined || index >= end || isQuoted(line, index)
        ? []
        : [line.slice(0, index) + replaced + line.slice(index + found.length)];
    }),
  );
}

export function mutated(text: string, { before, after, nth }: Mutant): string {
  let left = nth;
  return text
    .split("\n")
    .map((line) => (line === before && left-- === 0 ? after : line))
    .join("\n");
}
