/** "What clipping takes, engine by engine" of docs/engines.md: the versions are the installed ones, and each row names a test that is there. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const textOf = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8");
const page = textOf("../docs/engines.md");
const section = page.split(/^## /m).find((part) => part.startsWith("What clipping takes, engine by engine\n")) ?? "";
const rows = [...section.matchAll(/^\| (.+) \| .* \| (.*) \| (.*) \| .* \| `(.*)`: (.*) \|$/gm)].map(
  ([, engine = "", before = "", after = "", file = "", title = ""]) => ({ engine, before, after, file, title }),
);
const packages = { "TensorFlow.js": "@tensorflow/tfjs-core", "jax-js": "@jax-js/jax", "doppler-gpu": "doppler-gpu" };

test("every row was read", () => {
  expect(rows.length).toBe([...section.matchAll(/^\| /gm)].length - 1);
});

test.each(rows)("$engine: $file has the test that the row names, and its counts", ({ before, after, file, title }) => {
  const text = textOf(file);
  const [, body = ""] = text.split(title);
  // A test may have its counts from a table of the page, whose row begins with its title.
  const inTable = page.split("\n").find((line) => line.startsWith(`| ${title} | `)) ?? "";
  const own = `${body.split(/^(test|describe)\(/m)[0]}${inTable}`;
  for (const [, count = "", what = ""] of `${before}; ${after}`.matchAll(
    /([\d,]+) (dispatches|draws|bytes|submits|reads)/g,
  )) {
    const plain = count.replace(",", "");
    const written = plain === "10240" ? "40 * 256" : plain;
    expect(own, `${count} ${what}`).toMatch(new RegExp(`\\b${written.replace("*", "\\*")}\\b`));
  }
  expect(text).toContain(title);
});

test("the versions are those that are installed", () => {
  const named = rows.flatMap(({ engine }) => engine.match(/^(\S+) (\d+\.\d+\.\d+)/)?.slice(1) ?? []);
  expect(named.length).toBe(2 * 6);
  for (let i = 0; i < named.length; i += 2) {
    const name = packages[named[i] as keyof typeof packages];
    expect(JSON.parse(textOf(`../node_modules/${name}/package.json`)).version).toBe(named[i + 1]);
  }
});
