// A page of the documentation: copy buttons, and a search that loads when it is wanted.

import { addCopyButtons } from "../shared/code.ts";
import { byId } from "../shared/text.ts";

const mostFound = 8;
const query = byId<HTMLInputElement>("query");
let search: Promise<(wanted: string) => Found[]> | undefined;

interface Found {
  id: string;
  page: string;
  heading: string;
}

async function loadSearch(): Promise<(wanted: string) => Found[]> {
  const [{ default: MiniSearch }, { default: entries }] = await Promise.all([
    import("minisearch"),
    import("virtual:docs-entries"),
  ]);
  const index = new MiniSearch({
    fields: ["heading", "text"],
    storeFields: ["page", "heading"],
    searchOptions: { boost: { heading: 4 }, prefix: true, fuzzy: 0.15, combineWith: "AND" },
  });
  index.addAll(entries);
  return (wanted) => index.search(wanted) as unknown as Found[];
}

async function show(): Promise<void> {
  const wanted = query.value.trim();
  search ??= loadSearch();
  let found: Found[] = [];
  try {
    if (wanted) found = (await search)(wanted);
  } catch {
    search = undefined;
    byId("count").textContent = "The search could not load. Reload the page to try again.";
    return;
  }
  // The text may have changed while the search loaded.
  if (wanted !== query.value.trim()) return;
  const rest = found.length > mostFound ? `, the first ${mostFound}:` : "";
  byId("count").textContent = wanted ? `${found.length || "nothing"} found${rest}` : "";
  byId("found").replaceChildren(...found.slice(0, mostFound).map(lineOf));
}

function lineOf({ id, page, heading }: Found): HTMLElement {
  const link = document.createElement("a");
  link.href = `./${id}`;
  link.textContent = heading;
  const place = document.createElement("small");
  place.textContent = page;
  const line = document.createElement("li");
  line.append(link, " ", place);
  return line;
}

query.addEventListener("input", show);
query.addEventListener("focus", () => {
  search ??= loadSearch();
  search.catch(() => {});
});
addCopyButtons();
