// Markdown as the pages of the documentation show it. Build time only.

import GithubSlugger from "github-slugger";
import highlightJs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import rust from "highlight.js/lib/languages/rust";
import typescript from "highlight.js/lib/languages/typescript";
import MarkdownIt from "markdown-it";

highlightJs.registerLanguage("ts", typescript);
highlightJs.registerLanguage("sh", bash);
// Functions, attributes and comments of WGSL look like those of Rust.
highlightJs.registerLanguage("wgsl", rust);

/** A part of a page, from one heading to the next. */
export interface Section {
  readonly id: string;
  readonly heading: string;
  readonly level: number;
  readonly text: string;
}

export interface Rendered {
  readonly html: string;
  readonly sections: readonly Section[];
}

/** Text as HTML, also in an attribute. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** Code as HTML, with classes for its parts: the policy refuses styles in attributes. */
export function highlighted(code: string, language: string): string {
  return highlightJs.getLanguage(language) ? highlightJs.highlight(code, { language }).value : escaped(code);
}

/** The first example in TypeScript of a text. */
export function exampleOf(markdown: string): string {
  const [, example] = /^```ts\n([\s\S]*?)^```/m.exec(markdown) ?? [];
  if (!example) throw new Error("The text has no example in TypeScript.");
  return example.trimEnd();
}

/** `linkTo` and `imageAt` turn addresses in the text into those of the site; a link that gets undefined stays text. */
export interface Addresses {
  linkTo(address: string): string | undefined;
  imageAt(address: string): string;
}

export function rendered(markdown: string, { linkTo, imageAt }: Addresses): Rendered {
  const parser = new MarkdownIt({ html: true });
  const { rules } = parser.renderer;
  rules.fence = (tokens, index) => {
    const { content = "", info = "" } = tokens[index] ?? {};
    return `<div class="code"><pre tabindex="0"><code>${highlighted(content.trimEnd(), info)}</code></pre></div>\n`;
  };
  // What scrolls must be reachable by keyboard.
  rules.table_open = () => '<div class="scroll" tabindex="0"><table>\n';
  rules.table_close = () => "</table></div>\n";
  const tokens = parser.parse(markdown, {});
  const slugger = new GithubSlugger();
  const sections: { -readonly [Key in keyof Section]: Section[Key] }[] = [];
  for (const [index, token] of tokens.entries()) {
    if (token.type === "heading_open") {
      const heading = plain(tokens[index + 1]);
      const id = slugger.slug(heading);
      token.attrSet("id", id);
      sections.push({ id, heading, level: Number(token.tag.slice(1)), text: "" });
    } else if (token.type === "inline" || token.type === "fence") {
      const last = sections.at(-1);
      if (last && tokens[index - 1]?.type !== "heading_open") last.text += `${plain(token)} `;
    }
    for (const child of token.children ?? []) {
      if (child.type !== "image") continue;
      child.attrSet("src", imageAt(String(child.attrGet("src") ?? "")));
      // A phone scrolls the picture.
      tokens[index - 1]?.attrSet("tabindex", "0");
    }
    redirect(token.children ?? [], linkTo);
  }
  return { html: parser.renderer.render(tokens, parser.options, {}), sections };
}

type Token = ReturnType<ReturnType<typeof MarkdownIt>["parse"]>[number];

function redirect(children: readonly Token[], linkTo: Addresses["linkTo"]): void {
  let isOpen = true;
  for (const child of children) {
    if (child.type === "link_open") {
      const address = linkTo(String(child.attrGet("href") ?? ""));
      isOpen = address !== undefined;
      if (isOpen) child.attrSet("href", address as string);
    }
    if (!isOpen && (child.type === "link_open" || child.type === "link_close")) {
      child.tag = "span";
      child.attrs = null;
    }
  }
}

/** The text without marks and pictures. */
function plain(token: Token | undefined): string {
  if (!token?.children) return token?.content ?? "";
  const words = token.children.filter(({ type }) => type !== "image");
  return words.map(({ type, content }) => (type === "softbreak" ? " " : content)).join("");
}
