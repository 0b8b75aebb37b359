import { readFileSync } from "node:fs";

export interface Row {
  /** The heading that its table stands under. */
  readonly heading: string;
  readonly cells: readonly string[];
}

/** The rows of all tables of docs/coming-from.md, without their heads. */
export function rowsOfPage(): Row[] {
  const text = readFileSync(new URL("../../docs/coming-from.md", import.meta.url), "utf8");
  const rows: Row[] = [];
  let heading = "";
  let inBody = false;
  for (const line of text.split("\n")) {
    heading = line.match(/^#+ (.*)/)?.[1] ?? heading;
    if (!line.startsWith("|")) inBody = false;
    else if (/^\|[-:| ]+\|$/.test(line)) inBody = true;
    else if (inBody) rows.push({ heading, cells: cellsOf(line) });
  }
  return rows;
}

function cellsOf(line: string): string[] {
  const cells = line.slice(1, -1).split("|");
  return cells.map((cell) => cell.trim());
}

/** The cells of the rows under a heading. */
export function cellsUnder(heading: string): (readonly string[])[] {
  return rowsOfPage()
    .filter((row) => row.heading === heading)
    .map(({ cells }) => cells);
}

export const EDGES = "The edges, side by side";

/** The rows of the table of edges: a gradient and a bound, and what each system makes of them, gradclip last. */
export function edges() {
  return cellsUnder(EDGES).map(([input = "", ...cells]) => {
    const [gradient, bound] = new Function(`return [${codeIn(input).join(", ")}];`)() as [number[], number];
    return { input, gradient, bound, cells };
  });
}

/** A number, the values of a gradient, those of several, or words as they stand on the page. */
export type Outcome = number | readonly number[] | readonly (readonly number[])[] | string;

/** An outcome as the page has it. */
export function written(outcome: Outcome): string {
  if (typeof outcome === "string") return outcome;
  if (typeof outcome === "number") return `\`${float32(outcome)}\``;
  if (outcome.every((part) => typeof part === "number")) return `\`[${outcome.map(float32).join(", ")}]\``;
  return outcome.map((values) => written(values)).join(", ");
}

/** The shortest decimal that is this float32. */
function float32(value: number): string {
  const float = Math.fround(value);
  if (!Number.isFinite(float) || float === 0) return String(float);
  for (let digits = 1; ; digits++) {
    const decimal = Number(float.toPrecision(digits));
    if (Math.fround(decimal) === float) return Math.abs(decimal) < 1e7 ? String(decimal) : exponential(decimal);
  }
}

function exponential(value: number): string {
  return value.toExponential().replace("+", "");
}

/** What stands between backticks. */
export function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]*)`/g)].map(([, code = ""]) => code);
}

/** What came out, as the page writes it; of an error, its class. */
export async function outcome(act: () => Promise<Outcome>): Promise<string> {
  try {
    return written(await act());
  } catch (error) {
    return `\`${(error as Error).constructor.name}\``;
  }
}
