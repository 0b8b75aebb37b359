/** Longer addresses are refused by servers. */
const longest = 6000;

/** An address that opens a new issue with this text; undefined while the address of the repository is not known. */
export function newIssue(title: string, text: string): string | undefined {
  const repository = document.querySelector<HTMLAnchorElement>("a#repository")?.href;
  if (!repository) return undefined;
  const lines = text.split("\n");
  const bodyOf = () => encodeURIComponent(["```", ...lines, "```"].join("\n"));
  // The last line, which is for programs, says what the machine is.
  while (lines.length > 2 && bodyOf().length > longest) lines.splice(-2, 1);
  if (lines.length < text.split("\n").length) lines.splice(-1, 0, "(shortened: the page has the whole report)");
  return `${repository.replace(/\/$/, "")}/issues/new?title=${encodeURIComponent(title)}&body=${bodyOf()}`;
}
