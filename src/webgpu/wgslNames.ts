/** Where a name of WGSL holds: everywhere, after a dot, or in a function: "fn main". */
export type Scope = "global" | "member" | `fn ${string}`;

/** What a name becomes. @param isDeclared whether it is declared here. */
export type Rename = (name: string, scope: Scope, isDeclared: boolean) => string;

/** Directives, numbers, attributes and address spaces are parts of their own: `@group` and `var<workgroup>` are no names of ours. */
const PART =
  /\/\/#.*|0[xX][\da-fA-F.]+(?:[pP][+-]?\d+)?\w?|\d[\d.]*(?:[eE][+-]?\d+)?\w?|@\w+|var<[^>]*>|[A-Za-z_]\w*|\s+|./g;
const NAME = /^[A-Za-z_]\w*$/;
const DECLARES_GLOBAL = /^(?:fn|struct|alias|const|override|var(?:<.*>)?)$/;
const DECLARES_LOCAL = /^(?:let|const|var(?:<.*>)?)$/;

export function partsOf(text: string): string[] {
  return text.match(PART) ?? [];
}

/** A text of WGSL, whole or a file of shaders/, with other names. Keywords and what WGSL has built in are asked about too. */
export function renamed(text: string, rename: Rename): string {
  const parts = partsOf(text);
  let depth = 0;
  let scope: Scope = "global";
  let locals = new Set<string>();
  let before = "";
  const nameAt = (name: string, next: string | undefined): string => {
    if (before === ".") return rename(name, "member", false);
    const isParameter = scope !== "global" && depth === 0 && next === ":";
    if (scope !== "global" && (isParameter || (depth > 0 && DECLARES_LOCAL.test(before)))) {
      locals.add(name);
      return rename(name, scope, true);
    }
    if (locals.has(name)) return rename(name, scope, false);
    if (scope === "global" && depth === 1 && next === ":") return rename(name, "member", true);
    return rename(name, "global", depth === 0 && DECLARES_GLOBAL.test(before));
  };
  const out = parts.map((part, i) => {
    const isName = NAME.test(part);
    const shown = isName ? nameAt(part, parts[i + 1]) : part;
    if (isName && before === "fn" && depth === 0) [scope, locals] = [`fn ${part}`, new Set()];
    if (part === "{") depth += 1;
    if (part === "}") depth -= 1;
    if (part === "}" && depth === 0) [scope, locals] = ["global", new Set()];
    if (part.trim()) before = part;
    return shown;
  });
  return out.join("");
}
