/** One-token changes of a shader: what each line could be wrong by. */
export interface Mutant {
  /** The file under shaders/, without the suffix. */
  readonly file: string;
  /** The line without its comment, as it is and as it is changed; and which of equal lines of the file, from 0. */
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
  ["min(", "max("],
  ["max(", "min("],
];

const literally = (text: string) => text.replace(/[|+()]/g, "\\$&");

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
  { find: /(?<=^(?:\} else )?if )\(.*\)(?= \{$)/g, replace: () => "(false)" },
  // A statement is missing.
  { find: /^(?!let |var |const |return|struct |fn |alias |break|continue)[A-Za-z_].*;$/g, replace: () => ";" },
];

/** The largest stays: one more has too many bits. */
function nextHex(found: string): string | undefined {
  const next = BigInt(found) + 1n;
  return next < 1n << 32n ? `0x${next.toString(16)}` : undefined;
}

/** Declarations that no test could miss: another number there does not compile, or is another layout. */
const isDeclaration = (line: string) => /^(@group|@compute|@builtin|struct |alias |\/\/#|requires |enable )/.test(line);

export function mutantsOf(file: string, stripped: string): Mutant[] {
  const seen = new Map<string, number>();
  return stripped.split("\n").flatMap((before) => {
    const nth = seen.get(before) ?? 0;
    seen.set(before, nth + 1);
    return isDeclaration(before) ? [] : changesOf(before).map((after) => ({ file, before, after, nth }));
  });
}

function changesOf(line: string): string[] {
  return operators.flatMap(({ find, replace }) =>
    [...line.matchAll(find)].flatMap(({ 0: found, index }) => {
      const replaced = replace(found);
      return replaced === undefined ? [] : [line.slice(0, index) + replaced + line.slice(index + found.length)];
    }),
  );
}

export function mutated(stripped: string, { before, after, nth }: Mutant): string {
  let left = nth;
  return stripped
    .split("\n")
    .map((line) => (line === before && left-- === 0 ? after : line))
    .join("\n");
}
