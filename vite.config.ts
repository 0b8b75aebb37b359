import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig, type Plugin, type UserConfig } from "vite";
import { docs, docsPages } from "./demo/docs/pages.ts";
import { siteShell } from "./demo/shared/shell.ts";
import { raceHtml } from "./demo/train/raceHtml.ts";
import { type Files, shortened, shortNamesOf } from "./shaders/shorten.ts";
import type { Names } from "./src/webgpu/realNames.ts";

const repository = import.meta.dirname;
const manifest = JSON.parse(readFileSync(resolve(repository, "package.json"), "utf8"));

const shaderFolder = resolve(repository, "shaders");

/** The shipped shaders without comments other than directives, and those of the library with short names, which src/shaderNames.ts gets. */
export function strippedShaders(): Plugin {
  let names: Names = {};
  return {
    name: "stripped-shaders",
    apply: "build",
    enforce: "pre",
    buildStart() {
      names = shortNamesOf(shaderFiles());
    },
    load: {
      filter: { id: /\.wgsl\?raw$|\/src\/shaderNames\.ts$/ },
      handler(id) {
        if (id.endsWith(".ts")) return `export const shaderNames = ${JSON.stringify(names)};`;
        const file = id.slice(0, -"?raw".length);
        this.addWatchFile(file);
        const text = stripShader(readFileSync(file, "utf8"));
        const isOurs = file.startsWith(`${shaderFolder.replaceAll("\\", "/")}/`);
        return `export default ${JSON.stringify(isOurs ? shortened(text, names) : text)};`;
      },
    },
  };
}

/**
 * An entry that begins with all shaders: so they stand side by side, and what they have in common is within the reach of gzip.
 * The bundler leaves out those that nothing uses.
 */
function shadersFirst(): Plugin {
  return {
    name: "shaders-first",
    enforce: "pre",
    resolveId: {
      filter: { id: /\.wgsl\?raw$/ },
      async handler(id, importer) {
        const found = await this.resolve(id, importer, { skipSelf: true });
        // Otherwise an import of nothing of it is left out, and with it the place in the order.
        return found && { ...found, moduleSideEffects: true };
      },
    },
    transform: {
      filter: { id: /\/src\/(index|webgpuOnly)\.ts$/ },
      handler(code) {
        const imports = [...shaderFiles().keys()].map((name) => `import "../shaders/${name}.wgsl?raw";`);
        return { code: imports.join("") + code, map: null };
      },
    },
  };
}

/** For the build of an entry for one side: exports of the other side's files are undefined, and a shader is empty. */
export function omitted(half: "webgpu" | "cpu"): Plugin {
  const id = half === "webgpu" ? /\/src\/webgpu\/|\.wgsl\?raw$/ : /\/src\/cpu\//;
  return {
    name: `omitted-${half}`,
    enforce: "pre",
    load: { filter: { id }, handler: (id) => (id.endsWith(".wgsl?raw") ? 'export default "";' : "export {};") },
  };
}

/** Imports dist/errors.js, which the build of the library makes. */
function sharedErrors(): Plugin {
  return {
    name: "shared-errors",
    enforce: "pre",
    resolveId: { filter: { id: /\/errors\.ts$/ }, handler: () => ({ id: "./errors.js", external: "relative" }) },
  };
}

/** The stripped texts of shaders/, by their names there without the suffix. */
export function shaderFiles(): Files {
  const paths = readdirSync(shaderFolder, { recursive: true }) as string[];
  const names = paths.flatMap((path) => (path.endsWith(".wgsl") ? [path.slice(0, -".wgsl".length)] : [])).sort();
  const textOf = (name: string) => stripShader(readFileSync(resolve(shaderFolder, `${name}.wgsl`), "utf8"));
  return new Map(names.map((name) => [name.replaceAll("\\", "/"), textOf(name)]));
}

/** WGSL has no string literals, so whatever looks like a comment is one; those with `//#` are for src/webgpu/template.ts. */
export function stripShader(text: string): string {
  const lines = text
    .replace(/\/\/(?!#).*|\/\*[\s\S]*?\*\//g, (comment) => (comment.includes("\n") ? "\n" : " "))
    .split("\n");
  return lines
    .map((line) => line.trim())
    .filter(Boolean)
    .join("\n");
}

/** The source of each of package.json's exports: ./dist/adapters/jax.js is made from src/adapters/jax.ts. */
const entries = Object.entries<{ default: string }>(manifest.exports).filter(([key]) => key !== "./package.json");
const sources = entries.map(([key, target]) => {
  const name = target.default.replace(/^\.\/dist\/(.+)\.js$/, "$1");
  return { specifier: manifest.name + key.slice(1), name, path: resolve(repository, `src/${name}.ts`) };
});

/** The package by its own names, from its sources: demo and examples import it as its users do. */
export const ownPackage: UserConfig["resolve"] = {
  alias: sources.map(({ specifier, path }) => ({ find: new RegExp(`^${specifier}$`), replacement: path })),
};

const forPackage: UserConfig["build"] = { target: "es2022", minify: false };

/** Entries that have one half only are builds of their own. */
const isHalf = (name: string) => name.endsWith("Only");

/** The error classes are a file of their own, which every entry imports. */
const library: UserConfig = {
  publicDir: false,
  plugins: [shadersFirst()],
  build: {
    ...forPackage,
    lib: {
      entry: Object.fromEntries([
        ...sources.filter(({ name }) => !isHalf(name)).map(({ name, path }) => [name, path]),
        ["errors", resolve(repository, "src/errors.ts")],
      ]),
      formats: ["es"],
    },
    rolldownOptions: {
      external: Object.keys(manifest.peerDependencies ?? {}).map((name) => new RegExp(`^${name}(/|$)`)),
      output: { chunkFileNames: "shared/[name]-[hash].js" },
    },
  },
};

/** An entry without the files of a half, beside what the library's build made. */
const entryWithout = (half: "webgpu" | "cpu", name: string): UserConfig => ({
  publicDir: false,
  plugins: [omitted(half), sharedErrors(), shadersFirst()],
  build: {
    ...forPackage,
    emptyOutDir: false,
    lib: { entry: { [name]: resolve(repository, `src/${name}.ts`) }, formats: ["es"] },
    rolldownOptions: { shimMissingExports: true, checks: { shimmedExport: false } },
  },
});

/** One file, for engines that know neither Vite nor npm. Bun's suite alone imports packages. */
const conformance: UserConfig = {
  publicDir: false,
  build: {
    lib: { entry: resolve(repository, "test/conformance/index.ts"), formats: ["es"], fileName: "suite" },
    target: "es2022",
    minify: false,
    rolldownOptions: { external: [/^node:/, /^@tensorflow\//, /^@jax-js\//], output: { codeSplitting: false } },
  },
};

const demo = resolve(repository, "demo");
const pages = () => readdirSync(demo).filter((file) => file.endsWith(".html"));

/** Every demo/*.html is a page, and so is every text of the documentation; no other address is. The relative base lets the site lie under any path. */
const site = (): UserConfig => ({
  appType: "mpa",
  root: demo,
  base: "./",
  plugins: [docs(), ...siteShell(), raceHtml()],
  build: {
    outDir: resolve(repository, "dist/site"),
    emptyOutDir: true,
    target: "es2022",
    // The policy lets nothing be fetched from a data: address.
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: [...pages(), ...docsPages().map(({ file }) => `docs/${file}`)].map((page) => resolve(demo, page)),
    },
  },
  worker: { format: "es", plugins: () => [strippedShaders()] },
  server: { host: "127.0.0.1", port: 5173, fs: { allow: [repository] } },
});

/** By mode; any other is the site. */
const configurations: Record<string, UserConfig> = {
  library,
  webgpuOnly: entryWithout("cpu", "webgpuOnly"),
  cpuOnly: entryWithout("webgpu", "cpuOnly"),
  conformance,
};

export default defineConfig(({ mode }) => {
  const configuration = configurations[mode] ?? site();
  return { ...configuration, resolve: ownPackage, plugins: [...(configuration.plugins ?? []), strippedShaders()] };
});
