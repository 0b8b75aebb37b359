/** The links of README.md, docs/*.md and the texts beside them lead somewhere. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import GithubSlugger from "github-slugger";
import { expect, test } from "vitest";
import { repository } from "./engines/packaged.mjs";

const ofFolder = (folder: string) =>
  readdirSync(join(repository, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
const texts = [...ofFolder("."), ...ofFolder("docs"), "llms.txt"];
const textOf = (file: string) => readFileSync(join(repository, file), "utf8").replace(/^```[\s\S]*?^```$/gm, "");

function anchorsOf(file: string): string[] {
  const slugger = new GithubSlugger();
  return [...textOf(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => slugger.slug(heading.replaceAll("`", "")));
}

test.each(texts)("%s", (file) => {
  const links = [...textOf(file).matchAll(/\]\((?!https?:|mailto:)([^)\s]*)\)/g)].map(([, link = ""]) => link);
  const dead = links.filter((link) => {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? file : join(dirname(file), path);
    if (!existsSync(join(repository, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(dead).toEqual([]);
});

test("README.md or llms.txt leads to every page of docs", () => {
  const known = ["README.md", "llms.txt"].map((file) => textOf(file)).join();
  expect(ofFolder("docs").filter((page) => !known.includes(`(${page.replaceAll("\\", "/")})`))).toEqual([]);
});
