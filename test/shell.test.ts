import { expect, test } from "vitest";
import { type Rendered, rendered } from "../demo/docs/markdown.ts";
import { linkFrom } from "../demo/docs/pages.ts";
import { manifest, readText, repositoryPage, sizeInKilobytes } from "../demo/shared/manifest.ts";
import * as gradclip from "../src/index.ts";
import { bench, device } from "./support/bench.ts";

test.each([
  [undefined, undefined],
  ["owner/name", "https://github.com/owner/name"],
  ["github:owner/name", "https://github.com/owner/name"],
  ["https://example.org/owner/name", "https://example.org/owner/name"],
  [{ url: "git+https://example.org/owner/name.git" }, "https://example.org/owner/name"],
  [{ url: "git+ssh://git@example.org/owner/name.git" }, "https://example.org/owner/name"],
])("the repository %j has its page at %s", (repository, page) => {
  expect(repositoryPage({ ...manifest, repository })).toBe(page);
});

test("a link leads to the page of a text, to the repository for another file, and otherwise nowhere", () => {
  expect(linkFrom("README.md", "docs/methods.md#cost")).toBe("./methods.html#cost");
  expect(linkFrom("docs/record.md", "../README.md")).toBe("./index.html");
  expect(linkFrom("docs/record.md", "https://example.org/")).toBe("https://example.org/");
  expect(linkFrom("docs/record.md", "../LICENSE", "https://example.org/a")).toBe(
    "https://example.org/a/blob/HEAD/LICENSE",
  );
  expect(linkFrom("docs/record.md", "../LICENSE", undefined)).toBe(repositoryPage() && expect.any(String));
  expect(() => linkFrom("docs/record.md", "nowhere.md")).toThrow(
    "docs/record.md links to nowhere.md, which is not there.",
  );
});

test("the size that every page names is that of the package under the name that every page installs", () => {
  const [, size] =
    readText("docs/size.md")
      .split("| `gradclip` |")[1]
      ?.match(/^ ([\d.]+) \|/) ?? [];
  expect(Number(size)).toBeGreaterThan(30);
  expect(sizeInKilobytes()).toBe(Math.round(Number(size)));
});

const show = (markdown: string): Rendered =>
  rendered(markdown, { linkTo: (address) => (address === "gone" ? undefined : address), imageAt: (at) => `x/${at}` });

test("headings get the names that GitHub gives them, twice the same one a number", () => {
  const { sections, html } = show("# A `b` c\n\nText one.\n\n## Same\n\n## Same\n\nlast");
  expect(sections.map(({ id }) => id)).toEqual(["a-b-c", "same", "same-1"]);
  expect(sections.map(({ text }) => text.trim())).toEqual(["Text one.", "", "last"]);
  expect(html).toContain('<h2 id="same-1">');
});

test("a link without a place stays text, and code has colours without a style in an attribute", () => {
  const { html } = show("[a](gone) ![b](c.svg)\n\n```ts\nconst x = 1; // <b>\n```\n");
  expect(html).toContain("<span>a</span>");
  expect(html).toContain('src="x/c.svg"');
  expect(html).toContain('<span class="hljs-keyword">const</span>');
  expect(html).toContain("&lt;b&gt;");
  expect(html).not.toContain("style=");
});

test("the six lines of the engine page clip an engine's buffers", async () => {
  const html = readText("demo/engine.html");
  const [, lines = ""] = /<code data-language="ts">([^<]*)<\/code>/.exec(html) ?? [];
  expect(lines.split("\n").length).toBe(6);
  expect(lines).toMatch(/^import \{ (\w+, )*\w+ \} from "gradclip";\n/);
  const gradients = [bench.buffer([3, 4]), bench.buffer([12])];
  const encoder = device.createCommandEncoder();
  // Between encode and report, an engine submits.
  const body = lines
    .replace(/^import (\{.*\}) from "gradclip";/, "const $1 = gradclip;")
    .replace(/^(clip\.encode.*)$/m, "$1\ndevice.queue.submit([encoder.finish()]);");
  const run = new Function(
    "gradclip",
    "device",
    "gradients",
    "encoder",
    `return (async () => { ${body}\nreturn { norm, clipped } })()`,
  );
  expect(await run(gradclip, device, gradients, encoder)).toEqual({ norm: 13, clipped: true });
  const clipped = [
    ...(await bench.values(gradients[0] as GPUBuffer)),
    ...(await bench.values(gradients[1] as GPUBuffer)),
  ];
  expect(Math.hypot(...clipped)).toBeCloseTo(1, 6);
});
