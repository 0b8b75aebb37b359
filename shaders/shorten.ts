// Shorter shaders for the build. Each name that the files of this folder declare gets a short one, the same in all of them,
// because their texts are put together at run time. Spaces that separate nothing go. Lines stay lines.

/** The text of every file, stripped, by its name here without the suffix: "shared/partial". */
export type Files = ReadonlyMap<string, string>;

/** Real names, by the short ones. */
export type Names = ReadonlyMap<string, string>;

/** The text of gradclip/shaders, which others paste into their own: its global names and its members stay. */
const EXPORTED = ["shared/record", "shared/clipped", "shared/gradient"];
/** What README.md calls tokens: names that have one in them are replaced in part at run time. */
const TOKENS = /SLOT|INTO|TARGET|ACCESS|IN_PLACE|WORKGROUP_SIZE/;
/** `x` may be a variable, and `.x` the component of a vector. */
const COMPONENTS = /^[xyzw]+$/;

const DECLARED = /\b(?:fn|struct|alias|const|let) (\w+)|\bvar(?:<[^>]*>)? (\w+)|([A-Za-z_]\w*):/g;
const GLOBAL_OR_MEMBER = /^(?:fn|struct|alias|const) (\w+)|^([A-Za-z_]\w*):/gm;
/** Directives, numbers, attributes and address spaces are parts of their own: `@group` and `var<workgroup>` are no names of ours. */
const PART =
  /\/\/#.*|0[xX][\da-fA-F.]+(?:[pP][+-]?\d+)?\w?|\d[\d.]*(?:[eE][+-]?\d+)?\w?|@\w+|var<[^>]*>|[A-Za-z_]\w*|\s+|./g;
const NAME = /^[A-Za-z_]/;

const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];
/** No word of WGSL is one letter, or a letter and a digit. */
const SHORT = [...LETTERS, ...LETTERS.flatMap((letter) => [..."0123456789"].map((digit) => letter + digit))];

/** The most frequent names become the shortest. */
export function shortNamesOf(files: Files): Names {
  const texts = [...files.values()].map((text) => text.replace(/\/\/#.*/g, ""));
  const exported = EXPORTED.flatMap((file) => namesIn(files.get(file) ?? "", GLOBAL_OR_MEMBER));
  const kept = new Set(["main", "default", ...exported]);
  const isOurs = (name: string) => !kept.has(name) && !TOKENS.test(name) && !COMPONENTS.test(name);
  const declared = new Set(texts.flatMap((text) => namesIn(text, DECLARED)).filter(isOurs));
  const counts = new Map<string, number>();
  const others = new Set<string>();
  for (const name of texts.flatMap((text) => text.match(PART) ?? []).filter((part) => NAME.test(part))) {
    if (declared.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    else others.add(name);
  }
  const free = SHORT.filter((short) => !others.has(short));
  const byCount = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  if (byCount.length > free.length) {
    throw new Error(
      `The shaders have ${byCount.length} names, more than the ${free.length} short ones; make three characters.`,
    );
  }
  return new Map(byCount.map(([name], i) => [free[i] as string, name]));
}

export function shortened(text: string, names: Names): string {
  const shortOf = new Map([...names].map(([short, name]) => [name, short]));
  const lines = text.replace(PART, (part) => shortOf.get(part) ?? part).split("\n");
  return lines.map(withoutSpaces).join("\n");
}

function namesIn(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match.slice(1).find(Boolean) as string);
}

function withoutSpaces(line: string): string {
  if (line.startsWith("//#")) return line;
  const short = line.replace(/ *([^\w\s]) */g, "$1");
  if (/--|\+\+/.test(short)) throw new Error(`Without spaces this line means something else: ${line}`);
  return short;
}
