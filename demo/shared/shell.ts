// Puts the shared parts of the site into each page's HTML when Vite serves or builds it: the first paint needs no script.

import { readdirSync, readFileSync } from "node:fs";
import { extname, join, posix, relative } from "node:path";
import { normalizePath, type Plugin } from "vite";
import { bandwidthPlot } from "../../bench/plot.ts";
import { machineName, recordingsFrom } from "../../bench/recorded.ts";
import { escaped, exampleOf, highlighted } from "../docs/markdown.ts";
import { manifest, readText, repositoryFolder, repositoryPage, sizeInKilobytes } from "./manifest.ts";

/** `trusted` names the only policies of Trusted Types that a page may make: for the workers that it starts, for the plot that it parses. */
const pages = [
  { file: "index.html", name: "The cliff", trusted: "default" },
  { file: "train.html", name: "Train", trusted: "default" },
  { file: "engine.html", name: "In an engine" },
  { file: "benchmark.html", name: "Benchmark", trusted: "plot" },
  { file: "check.html", name: "Check this GPU", trusted: "default" },
  { file: "docs/index.html", name: "Docs" },
];

/** No eval, nothing inline, nothing from elsewhere. */
const policy = {
  "default-src": "'none'",
  "script-src": "'self'",
  "style-src": "'self'",
  "img-src": "'self' data:",
  "connect-src": "'self'",
  "worker-src": "'self'",
  "base-uri": "'none'",
  "form-action": "'none'",
};

/** The training library compiles WebAssembly: its pages allow that, and still no eval of text. */
const trainingPages = ["train.html", "engine.html", "benchmark.html"];

/** With `trusted`, no string becomes a script, or HTML, but through policies of these names. */
export function contentSecurityPolicy({ training, trusted }: { training: boolean; trusted?: string }): string {
  const sources = {
    ...policy,
    ...(training && { "script-src": "'self' 'wasm-unsafe-eval'" }),
    ...(trusted && { "require-trusted-types-for": "'script'", "trusted-types": trusted }),
  };
  return Object.entries(sources)
    .map(([directive, source]) => `${directive} ${source}`)
    .join("; ");
}

/** `up` leads from the page to the site's folder. */
function header(current: string, up: string): string {
  const links = pages.map(({ file, name }) => {
    // A page of the documentation names itself in the list of them.
    const isAround = current.startsWith("docs/") && file.startsWith("docs/");
    const mark = isAround ? ' aria-current="true"' : file === current ? ' aria-current="page"' : "";
    return `<a href="${up}${file}"${mark}>${name}</a>`;
  });
  return `<header>
      <a class="brand" href="${up}index.html">${manifest.name}</a>
      <nav aria-label="Pages">${links.join("\n        ")}</nav>
      <p class="pitch">${manifest.description} ${sizeInKilobytes()} kB gzipped, ${manifest.license}.</p>
    </header>`;
}

/** The repository's link is left out while its address is not known. Pages find it by its id. */
function footer(): string {
  const { name, version, license } = manifest;
  const page = repositoryPage();
  const parts = [
    `<span>${name} ${version}</span>`,
    `<span>${license} licence</span>`,
    `<code>npm install ${name}</code>`,
    ...(page ? [`<a id="repository" href="${page}">Repository</a>`] : []),
  ];
  return `<footer>
      ${parts.join("\n      ")}
    </footer>`;
}

/** What a link to the page shows elsewhere, from the page's own title and description. */
function preview(html: string, up: string): string {
  const title = /<title>([^<]*)<\/title>/.exec(html)?.[1] ?? "";
  const description = /<meta name="description" content="([^"]*)"/.exec(html)?.[1] ?? "";
  return `<link rel="icon" type="image/svg+xml" href="${up}shared/icon.svg">
    <meta property="og:type" content="website">
    <meta property="og:title" content="${title}">
    <meta property="og:description" content="${description}">
    <meta property="og:image" content="${up}shared/cliff.jpg">
    <meta property="og:image:alt" content="Two descents over an error surface: a cliff throws one off the map, the other has its gradients clipped.">
    <meta name="twitter:card" content="summary_large_image">
  </head>`;
}

/** What scrolls must be reachable by keyboard. */
function codeBlock(code: string, language: string): string {
  return `<pre tabindex="0"><code>${highlighted(code, language)}</code></pre>`;
}

/** README's first example, for the front page. */
function quickStart(): string {
  return codeBlock(exampleOf(readText("README.md")), "ts");
}

/** A file that the page runs. It imports gradclip's source beside it; a reader has the package. */
function fileBlock(path: string): string {
  const source = readText(path)
    .replace(/"(?:\.\.\/)+src\/index\.ts"/, `"${manifest.name}"`)
    .replace(/"(?:\.\.\/)+src\/adapters\/(\w+)\.ts"/, `"${manifest.name}/$1"`);
  return codeBlock(source.trimEnd(), extname(path).slice(1));
}

/** The plot of the recorded run, and for the page's script the lines of other machines. */
function recordedRun(): string {
  const folder = join(repositoryFolder, "bench/results");
  const names = (readdirSync(folder, { recursive: true }) as string[]).map(normalizePath);
  const { shown, file, others } = recordingsFrom(names, (name) => readFileSync(join(folder, name), "utf8"));
  const { environment, date } = shown;
  const alike = others.filter(({ isSoftware }) => isSoftware === (environment.isSoftware === true));
  const plots = (["wide", "narrow"] as const).map((shape) => bandwidthPlot(shown, { shape, others: alike }));
  const machine = `Recorded on ${machineName(environment)}, ${environment.agent}, ${date.slice(0, 10)}.`;
  const caution = environment.isSoftware ? " Its times say nothing about a GPU: measure yours." : "";
  return `<p id="source">${escaped(machine + caution)}</p>
        <div id="plot" data-file="${escaped(file)}" data-others="${escaped(JSON.stringify(others))}">${plots.join("\n")}</div>`;
}

/**
 * Fills in `<!-- header -->`, the foot, the icon and README's example. The policy comes when building only: Vite's own client
 * needs inline styles.
 */
export function siteShell(): Plugin[] {
  let isBuild = false;
  let root = "";
  const above = posix.join("/@fs/", normalizePath(repositoryFolder), "/");
  const fill: Plugin = {
    name: "site-shell",
    configResolved(config) {
      isBuild = config.command === "build";
      root = config.root;
    },
    transformIndexHtml: {
      order: "pre",
      handler(html, { filename }) {
        const file = normalizePath(relative(root, filename));
        const up = file.includes("/") ? "../" : "./";
        const trusted = pages.find((page) => page.file === file)?.trusted ?? "'none'";
        const content = contentSecurityPolicy({ training: trainingPages.includes(file), trusted });
        // When building, Vite finds files above the site. When serving, it has another address for them.
        const outside = file.includes("/") ? 'src="../../' : 'src="../';
        const page = isBuild ? html : html.replaceAll(outside, `src="${above}`);
        return {
          html: page
            .replace("</head>", () => preview(html, up))
            .replace("<!-- header -->", () => header(file, up))
            .replace("<!-- quick start -->", quickStart)
            .replace("<!-- recorded run -->", recordedRun)
            .replace(/<!-- file (\S+) -->/g, (_, path) => fileBlock(path))
            .replace(/<pre><code data-language="(\w+)">([^<]*)<\/code><\/pre>/g, (_, language, code) =>
              codeBlock(code, language),
            )
            .replace("</main>", () => `</main>\n    ${footer()}`),
          tags: isBuild
            ? [{ tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content }, injectTo: "head-prepend" }]
            : [],
        };
      },
    },
  };
  // Other sites fetch the picture by a whole address only.
  const absolute: Plugin = {
    name: "site-shell-absolute",
    transformIndexHtml: {
      order: "post",
      handler: (html) =>
        manifest.homepage
          ? html.replace(
              /(<meta property="og:image" content=")(?:\.\.?\/)+/,
              `$1${manifest.homepage.replace(/\/?$/, "/")}`,
            )
          : html,
    },
  };
  return [fill, absolute];
}
