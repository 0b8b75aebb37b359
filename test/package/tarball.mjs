// What is in the tarball.

import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { output, packed, packUnder, project } from "./project.mjs";

/** @param {string} file */
const digestOf = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");

/** @typedef {{ name: string, needsRegistry?: boolean, run: () => unknown }} Check `run` returns a figure, or throws */
/** @type {Check[]} */
export const tarballChecks = [
  {
    name: "tarball: the same bytes under two umasks",
    run() {
      const [first, second] = [packed(), packUnder(0o077)].map(digestOf);
      if (first !== second) throw new Error(`${first} under 022, ${second} under 077`);
      return `${statSync(packed()).size} bytes, sha256 ${first?.slice(0, 12)}`;
    },
  },
  {
    name: "tarball: the files of the entries, and no maps, sources or site",
    run() {
      const folder = join(project(), "node_modules/gradclip");
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const files = output("tar", ["-tzf", packed()]).trim().split("\n");
      const strays = files.filter(
        (file) => !/^package\/(package\.json|README\.md|LICENSE|dist\/.+\.(js|d\.ts))$/.test(file),
      );
      if (strays.length > 0) throw new Error(`It ships ${strays.join(", ")}.`);
      const entries = Object.values(manifest.exports).filter((target) => target.types);
      const types = files.filter((file) => file.endsWith(".d.ts"));
      if (types.length !== entries.length) throw new Error(`${entries.length} entries have ${types.join(", ")}.`);
      for (const { types: file } of entries) {
        const text = readFileSync(join(folder, file), "utf8");
        const [relative] = text.match(/from ['"]\.[^'"]*['"]/) ?? [];
        if (relative) throw new Error(`${file} is not whole: ${relative}`);
        const [closed] = text.match(/^ +(?:readonly )?\w+\?: (?!.*undefined;).*;$/m) ?? [];
        if (closed) throw new Error(`${file} does not take undefined: ${closed}`);
        const [own] = text.match(/\b(GradientClip|NormKind|Remembered|Tensor(?!\w|Info)|Grouping)\b/) ?? [];
        if (own && !file.includes("adapters")) throw new Error(`${file} names ${own}, which is internal.`);
      }
      return `${files.length} files, ${types.length} of them types`;
    },
  },
  {
    name: "tarball: publint",
    needsRegistry: true,
    run() {
      const folder = project(["publint@0.3"]);
      return output("npx", ["publint", "--strict", "node_modules/gradclip"], { cwd: folder }).trim().split("\n").at(-1);
    },
  },
  {
    name: "tarball: are the types wrong",
    needsRegistry: true,
    run() {
      const folder = project(["@arethetypeswrong/cli@0.18"]);
      output("npx", ["attw", "--profile", "esm-only", packed()], { cwd: folder });
    },
  },
];
