// Puts the shared parts of the site into each page's HTML when Vite serves or builds it: the first paint needs no script.

import { basename, dirname, posix } from "node:path";
import { normalizePath, type Plugin } from "vite";

const pages = [
  { file: "index.html", name: "The cliff" },
  { file: "train.html", name: "Train" },
  { file: "engine.html", name: "In an engine" },
  { file: "benchmark.html", name: "Benchmark" },
  { file: "check.html", name: "Check this GPU" },
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

export function contentSecurityPolicy({ training }: { training: boolean }): string {
  const sources = training ? { ...policy, "script-src": "'self' 'wasm-unsafe-eval'" } : policy;
  return Object.entries(sources)
    .map(([directive, source]) => `${directive} ${source}`)
    .join("; ");
}

function header(current: string): string {
  const links = pages.map(({ file, name }) => {
    const mark = file === current ? ' aria-current="page"' : "";
    return `<a href="./${file}"${mark}>${name}</a>`;
  });
  return `<header>
      <a class="brand" href="./index.html">gradclip</a>
      <nav aria-label="Pages">${links.join("\n        ")}</nav>
    </header>`;
}

/** Fills in `<!-- header -->`, and the policy when building: Vite's own client needs inline styles. */
export function siteShell(): Plugin {
  let isBuild = false;
  let above = "";
  return {
    name: "site-shell",
    configResolved({ command, root }) {
      isBuild = command === "build";
      above = posix.join("/@fs/", normalizePath(dirname(root)), "/");
    },
    transformIndexHtml: {
      order: "pre",
      handler(html, { filename }) {
        const file = basename(filename);
        const content = contentSecurityPolicy({ training: trainingPages.includes(file) });
        // When building, Vite finds files above the site. When serving, it has another address for them.
        const page = isBuild ? html : html.replaceAll('src="../', `src="${above}`);
        return {
          html: page.replace("<!-- header -->", () => header(file)),
          tags: isBuild
            ? [{ tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content }, injectTo: "head-prepend" }]
            : [],
        };
      },
    },
  };
}
