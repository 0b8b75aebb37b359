import { partsOf, renamed, type Scope } from "./wgslNames.ts";

/** Real names, by the short ones, for each scope. */
export type Names = Readonly<Partial<Record<Scope, Readonly<Record<string, string>>>>>;

const SOURCE_LINE = /^\d+: /;
/** As pipelines.ts writes them: kernel, line, column, the rest. */
const MESSAGE = /^([^:]+):(\d+):(\d+): (.*)$/;
const QUOTED = /(['"`])([A-Za-z_]\w*)\1/g;

/** The message of a compile error, whose source lines and quoted names are short, with the real names. */
export function withNames(message: string, names: Names): string {
  const lines = message.split("\n");
  const short = lines.flatMap((line) => (SOURCE_LINE.test(line) ? [line.replace(SOURCE_LINE, "")] : []));
  const real = unshortened(short.join("\n"), names).split("\n");
  let number = 0;
  return lines
    .map((line) => {
      if (SOURCE_LINE.test(line)) return `${number + 1}: ${real[number++]}`;
      const [, kernel, at, column, text = ""] = MESSAGE.exec(line) ?? [];
      if (at === undefined) return line;
      const [shortParts, realParts] = [short, real].map((all) => partsOf(all[Number(at) - 1] ?? "")) as [
        string[],
        string[],
      ];
      const named = text.replace(QUOTED, (whole, quote: string, name: string) => {
        const place = shortParts.indexOf(name);
        const found = place < 0 ? names.global?.[name] : realParts[place];
        return found === undefined ? whole : `${quote}${found}${quote}`;
      });
      return `${kernel}:${at}:${columnIn(realParts, shortParts, Number(column))}: ${named}`;
    })
    .join("\n");
}

export function unshortened(text: string, names: Names): string {
  return renamed(text, (name, scope) => {
    const inFunction = scope.startsWith("fn ") ? scope.slice("fn ".length) : undefined;
    const real: Scope = inFunction === undefined ? scope : `fn ${names.global?.[inFunction] ?? inFunction}`;
    return names[real]?.[name] ?? name;
  });
}

/** The column of the same part; both count from 1. */
function columnIn(realParts: readonly string[], shortParts: readonly string[], column: number): number {
  let [at, found] = [1, 1];
  for (const [i, part] of shortParts.entries()) {
    if (at + part.length > column) break;
    at += part.length;
    found += realParts[i]?.length ?? 0;
  }
  return found + (column - at);
}
