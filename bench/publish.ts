import type { Results } from "./benchmark.ts";
import { targetsAsMarkdown } from "./markdown.ts";
import { isMet, targetsOf } from "./targets.ts";

/** Results as stored in a file, with the command that made them. */
export interface Recorded extends Results {
  readonly command: string;
  readonly date: string;
}

const [BEGIN, END] = ["<!-- measured -->", "<!-- end of measured -->"];

/** docs/performance.md with the targets of all recorded results in their place. */
export function withMeasured(page: string, recorded: readonly Recorded[]): string {
  const parts = recorded.map(({ command, date, ...results }) => {
    const { adapter, agent, engine } = results.environment;
    const where = engine === "cpu" ? agent : `${adapter}; ${engine}, ${agent}`;
    const targets = targetsOf(results);
    const counted = targets.filter(({ isCounted }) => isCounted);
    const timed = targets.filter(({ isCounted }) => !isCounted);
    return [
      `\`${command}\` on ${where}, ${date.slice(0, 10)}:`,
      targetsAsMarkdown(results, timed),
      ...(counted.length > 0
        ? [`Of ${counted.length} counts of bytes and dispatches ${counted.filter(isMet).length} are as wanted.`]
        : []),
    ].join("\n\n");
  });
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`The page has no place between ${BEGIN} and ${END}.`);
  return [before, BEGIN, "\n\n", parts.join("\n\n"), "\n\n", END, after].join("");
}
