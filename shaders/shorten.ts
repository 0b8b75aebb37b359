// Shorter shaders for the build. Each name that the files of this folder declare gets a short one. Their texts are put together at
// run time, so a function, a struct's member or a global has the same one in all of them; what is local to a function is
// counted from a in each. Spaces that separate nothing go. Lines stay lines.
import type { Names } from "../src/webgpu/realNames.ts";
import { renamed, type Scope } from "../src/webgpu/wgslNames.ts";

/** The text of every file, stripped, by its name here without the suffix: "shared/partial". */
export type Files = ReadonlyMap<string, string>;

/** The text of gradclip/shaders, which others paste into their own: its global names and its members stay. */
const EXPORTED = ["shared/record", "shared/clipped", "shared/gradient"];
/** What README.md calls tokens: names that have one in them are replaced in part at run time. */
const TOKENS = /SLOT|INTO|TARGET|ACCESS|IN_PLACE|WORKGROUP_SIZE|LOSS_AT/;

const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];
/** No word of WGSL is one letter, or a letter and a digit; but Chromium has these two as types of an extension to come. */
const TYPES = ["i8", "u8"];
const SHORT = [...LETTERS, ...LETTERS.flatMap((letter) => [..."0123456789"].map((digit) => letter + digit))].filter(
  (name) => !TYPES.includes(name),
);

/** Names by how often they occur, in the order in which they are met. */
type Counts = Map<string, number>;

export function shortNamesOf(files: Files): Names {
  const isDeclared = declarationsOf(files.values());
  const isExported = declarationsOf(EXPORTED.map((file) => files.get(file) ?? ""));
  const counts = new Map<Scope, Counts>();
  const others = new Set<string>();
  for (const text of files.values()) {
    renamed(text, (name, scope) => {
      const isKept = name === "main" || TOKENS.test(name) || (isOfAll(scope) && isExported(name, scope));
      if (isKept || !isDeclared(name, scope)) others.add(name);
      else counts.set(scope, counted(counts.get(scope) ?? new Map(), name));
      return name;
    });
  }
  return namesFor(
    counts,
    SHORT.filter((short) => !others.has(short)),
  );
}

export function shortened(text: string, names: Names): string {
  const shortOf = new Map(
    Object.entries(names).map(([scope, real]) => [scope, new Map(Object.entries(real ?? {}).map(([a, b]) => [b, a]))]),
  );
  const lines = renamed(text, (name, scope) => shortOf.get(scope)?.get(name) ?? name).split("\n");
  return lines.map(withoutSpaces).join("\n");
}

/** Local names come first: they need few, so that most are one letter. Global ones are others, as a local one would hide them. */
function namesFor(counts: ReadonlyMap<Scope, Counts>, free: readonly string[]): Names {
  const locals = Math.max(0, ...[...counts].map(([scope, { size }]) => (isOfAll(scope) ? 0 : size)));
  const named = (scope: Scope, names: readonly string[]) => {
    const from = scope === "global" ? locals : 0;
    if (from + names.length > free.length) {
      throw new Error(
        `The shaders have ${names.length} names in ${scope}, more than are short; make three characters.`,
      );
    }
    return Object.fromEntries(names.map((name, i) => [free[from + i], name]));
  };
  return Object.fromEntries(
    [...counts].map(([scope, count]) => [scope, named(scope, isOfAll(scope) ? byCount(count) : [...count.keys()])]),
  );
}

function isOfAll(scope: Scope): boolean {
  return scope === "global" || scope === "member";
}

function declarationsOf(texts: Iterable<string>): (name: string, scope: Scope) => boolean {
  const declared = new Set<string>();
  for (const text of texts) {
    renamed(text, (name, scope, isDeclared) => {
      if (isDeclared) declared.add(`${scope} ${name}`);
      return name;
    });
  }
  return (name, scope) => declared.has(`${scope} ${name}`);
}

function counted(counts: Counts, name: string): Counts {
  return counts.set(name, (counts.get(name) ?? 0) + 1);
}

function byCount(counts: Counts): string[] {
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([name]) => name);
}

function withoutSpaces(line: string): string {
  if (line.startsWith("//#")) return line;
  const short = line.replace(/ *([^\w\s]) */g, "$1");
  if (/--|\+\+/.test(short)) throw new Error(`Without spaces this line means something else: ${line}`);
  return short;
}
