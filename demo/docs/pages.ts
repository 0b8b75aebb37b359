// The documentation as pages of the site: README.md, docs/*.md and the API reference. Build time only.

import { existsSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";
import { normalizePath, type Plugin } from "vite";
import { manifest, readText, repositoryFolder, repositoryPage } from "../shared/manifest.ts";
import { apiEntries, apiReference } from "./api.ts";
import { escaped, type Rendered, rendered, type Section } from "./markdown.ts";

/** A page of the documentation, and where its text is. */
interface DocsPage {
  /** In docs: methods.html. */
  readonly file: string;
  readonly title: string;
  /** The repository's file, or the module of the API reference. */
  readonly source: { readonly path: string } | { readonly module: string };
}

/** In the order of README's last list. */
export function docsPages(): DocsPage[] {
  const readme = readText("README.md");
  const place = (name: string) => (readme.lastIndexOf(`(docs/${name}`) + 1 || Infinity) - 1;
  const names = readdirSync(join(repositoryFolder, "docs")).filter((name) => name.endsWith(".md"));
  const sorted = names.sort((a, b) => place(a) - place(b) || a.localeCompare(b));
  return [
    { file: "index.html", title: "Start", source: { path: "README.md" } },
    ...sorted.map((name) => ({
      file: name.replace(/\.md$/, ".html"),
      title: titleOf(readText(`docs/${name}`)),
      source: { path: `docs/${name}` },
    })),
    ...apiEntries.map(({ specifier, module, page }) => ({
      file: page,
      title: `API: ${specifier}`,
      source: { module },
    })),
  ];
}

function titleOf(markdown: string): string {
  return /^# (.+)$/m.exec(markdown)?.[1]?.replaceAll("`", "") ?? "Untitled";
}

/** Where a link of a file leads on the site. A file that is no page is shown by the repository, or not at all. */
export function linkFrom(path: string, address: string, repository = repositoryPage()): string | undefined {
  if (/^(?:[a-z]+:|#)/.test(address)) return address;
  const [target = "", hash] = address.split("#");
  const file = posix.normalize(posix.join(posix.dirname(path), target));
  const end = hash ? `#${hash}` : "";
  const page = docsPages().find(({ source }) => "path" in source && source.path === file);
  if (page) return `./${page.file}${end}`;
  if (!existsSync(join(repositoryFolder, file))) throw new Error(`${path} links to ${address}, which is not there.`);
  return repository && `${repository}/blob/HEAD/${file}${end}`;
}

/** TypeDoc counts headings otherwise than GitHub. It links to declarations only, and each of those has a name of its own. */
const withoutNumber = (hash: string) => hash.replace(/-\d+$/, "");

function linkFromApi(module: string, address: string): string | undefined {
  if (/^[a-z]+:/.test(address)) return address;
  if (address.startsWith("#")) return withoutNumber(address);
  const [target = "", hash] = address.split("#");
  const file = posix.normalize(posix.join(posix.dirname(module), target)).replace(/\.md$/, "");
  const entry = apiEntries.find(({ module }) => module === file);
  return entry && `./${entry.page}${withoutNumber(hash ? `#${hash}` : "")}`;
}

async function contentOf({ source }: DocsPage): Promise<Rendered> {
  if ("path" in source) {
    const { path } = source;
    return rendered(readText(path), {
      linkTo: (address) => linkFrom(path, address),
      imageAt: (address) => `../../${posix.normalize(posix.join(posix.dirname(path), address))}`,
    });
  }
  const { specifier } = apiEntries.find(({ module }) => module === source.module) ?? {};
  const text = (await apiReference()).get(source.module) ?? "";
  return rendered(`# API: ${specifier}\n\nEverything that \`${specifier}\` exports.\n\n${text}`, {
    linkTo: (address) => linkFromApi(source.module, address),
    imageAt: (address) => address,
  });
}

/** Below the page's title, and not below the details of an API. */
function isListed({ level }: Section, page: DocsPage): boolean {
  return level === 2 || ("module" in page.source && level === 3);
}

export async function htmlOf(page: DocsPage): Promise<string> {
  const { html, sections } = await contentOf(page);
  const links = docsPages().map(({ file, title }) => {
    const mark = file === page.file ? ' aria-current="page"' : "";
    return `<li><a href="./${file}"${mark}>${escaped(title)}</a></li>`;
  });
  const contents = sections
    .filter((section) => isListed(section, page))
    .map(({ id, heading, level }) => `<li class="level-${level}"><a href="#${id}">${escaped(heading)}</a></li>`);
  const first = sections.find((section) => section.text)?.text ?? "";
  const summary = /^.*?\.(?= |$)/.exec(first)?.[0] ?? first;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="description" content="${escaped(`${page.title}: ${summary.trim()}`.slice(0, 200))}">
    <meta name="color-scheme" content="light dark">
    <title>${manifest.name}: ${escaped(page.title)}</title>
    <link rel="stylesheet" href="../shared/style.css">
    <link rel="stylesheet" href="./docs.css">
  </head>
  <body>
    <!-- header -->
    <main class="docs">
      <aside>
        <search>
          <label for="query">Search the docs</label>
          <input type="search" id="query" autocomplete="off" aria-controls="found">
          <p id="count" role="status"></p>
          <ol id="found"></ol>
          <a class="skip" href="#all-pages">All pages</a>
        </search>
        <nav aria-label="Docs" id="all-pages"><ul>${links.join("")}</ul></nav>
        ${contents.length > 1 ? `<nav aria-label="On this page"><h2>On this page</h2><ul>${contents.join("")}</ul></nav>` : ""}
      </aside>
      <article>
${html}
      </article>
    </main>
    <script type="module" src="./main.ts"></script>
  </body>
</html>
`;
}

/** What the search looks through: every section of every page. */
export interface Entry {
  readonly id: string;
  readonly page: string;
  readonly heading: string;
  readonly text: string;
}

async function searchEntries(): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const page of docsPages()) {
    const { sections } = await contentOf(page);
    // The parts of an API's entry are found with it.
    for (const { id, heading, level, text } of sections) {
      const last = entries.at(-1);
      if (last && level > 3) entries[entries.length - 1] = { ...last, text: `${last.text}${heading} ${text}` };
      else entries.push({ id: `${page.file}#${id}`, page: page.title, heading, text });
    }
  }
  return entries;
}

const searchModule = "virtual:docs-entries";

/** Makes the pages when Vite builds the site, and when it serves one. */
export function docs(): Plugin {
  let folder = "";
  const pageAt = (path: string) => docsPages().find(({ file }) => path === `${folder}/${file}`);
  return {
    name: "docs",
    enforce: "pre",
    configResolved({ root }) {
      folder = `${normalizePath(root)}/docs`;
    },
    resolveId: {
      filter: { id: /^virtual:docs-entries$|\/docs\/[^/]+\.html$/ },
      handler(id) {
        if (id === searchModule) return `\0${id}`;
        return pageAt(normalizePath(id)) ? id : undefined;
      },
    },
    load: {
      filter: { id: /virtual:docs-entries$|\/docs\/[^/]+\.html$/ },
      async handler(id) {
        if (id === `\0${searchModule}`) return `export default ${JSON.stringify(await searchEntries())};`;
        const page = pageAt(normalizePath(id));
        return page && htmlOf(page);
      },
    },
    configureServer(server) {
      server.middlewares.use(async (request, response, next) => {
        const [path = ""] = (request.url ?? "").split("?");
        const page = pageAt(`${folder}${path.replace(/^\/docs/, "").replace(/\/$/, "/index.html")}`);
        if (!page || !path.startsWith("/docs/")) return next();
        try {
          response.setHeader("Content-Type", "text/html");
          response.end(await server.transformIndexHtml(`/docs/${page.file}`, await htmlOf(page)));
        } catch (error) {
          next(error);
        }
      });
    },
  };
}
