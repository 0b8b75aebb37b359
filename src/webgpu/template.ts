/** Texts by the names in `//#import` lines. A name with a slash is a file of shaders/; the caller chooses the others. */
export type Texts = Readonly<Record<string, string>>;

/** The values for a kernel's directives; see shaders/README.md. */
export interface Filling {
  /** All texts that the kernel imports, directly and indirectly. */
  readonly texts: Texts;
  /** The conditions of `//#if`. A missing name is false. */
  readonly conditions?: Readonly<Record<string, boolean>>;
  /** The number of repetitions of `//#for slot`. As many bindings of sources come first, then those of destinations. */
  readonly slots?: number;
  /** Words to replace, and their replacements. */
  readonly tokens?: Readonly<Record<string, string>>;
}

/** A section without an inner section. */
const SECTION = / *\/\/#(for|if) (\w+)\n((?:(?! *\/\/#(?:for|if) ).*\n)*?) *\/\/#end\n/g;
const IMPORT = / *\/\/#import (\S+)\n/g;

/** The text of a kernel with everything that it imports, each once. */
export function resolved(kernel: string, { texts, conditions = {}, slots = 0, tokens = {} }: Filling): string {
  const emitted = new Set<string>();

  const repeated = (lines: string) =>
    Array.from({ length: slots }, (_, slot) => replaced(lines, { SLOT: `${slot}`, INTO: `${slots + slot}` })).join("");

  const sectioned = (text: string): string => {
    const inner = text.replace(SECTION, (_, directive: string, name: string, lines: string) => {
      if (directive === "for") return repeated(lines);
      return conditions[name] ? lines : "";
    });
    return inner === text ? text : sectioned(inner);
  };

  const emit = (text: string): string =>
    sectioned(text).replace(IMPORT, (_, name: string) => {
      if (emitted.has(name)) return "";
      emitted.add(name);
      return emit(`${texts[name]}\n`);
    });

  return replaced(emit(`${kernel}\n`), tokens);
}

function replaced(text: string, tokens: Readonly<Record<string, string>>): string {
  return Object.entries(tokens).reduce((before, [token, word]) => before.replaceAll(token, word), text);
}
