import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defineConfig, type Plugin, type UserConfig } from "vite";
import { siteShell } from "./demo/shared/shell.ts";

const repository = import.meta.dirname;
const manifest = JSON.parse(readFileSync(resolve(repository, "package.json"), "utf8"));

/** The shipped shaders without comments other than directives, blank lines and indentation. */
export function strippedShaders(): Plugin {
  return {
    name: "stripped-shaders",
    apply: "build",
    enforce: "pre",
    load: {
      filter: { id: /\.wgsl\?raw$/ },
      handler(id) {
        const file = id.slice(0, -"?raw".length);
        this.addWatchFile(file);
        return `export default ${JSON.stringify(stripShader(readFileSync(file, "utf8")))};`;
      },
    },
  };
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
const sources = Object.entries(manifest.exports).map(([key, target]) => {
  const name = (target as { default: string }).default.replace(/^\.\/dist\/(.+)\.js$/, "$1");
  return { specifier: manifest.name + key.slice(1), name, path: resolve(repository, `src/${name}.ts`) };
});

/** The package by its own names, from its sources: demo and examples import it as its users do. */
export const ownPackage: UserConfig["resolve"] = {
  alias: sources.map(({ specifier, path }) => ({ find: new RegExp(`^${specifier}$`), replacement: path })),
};

const library: UserConfig = {
  publicDir: false,
  build: {
    lib: { entry: Object.fromEntries(sources.map(({ name, path }) => [name, path])), formats: ["es"] },
    target: "es2022",
    minify: false,
    sourcemap: true,
    rolldownOptions: {
      external: Object.keys(manifest.peerDependencies ?? {}).map((name) => new RegExp(`^${name}(/|$)`)),
      output: { chunkFileNames: "shared/[name]-[hash].js" },
    },
  },
};

/** One file, for engines that know neither Vite nor npm. Bun's suite alone imports packages. */
const conformance: UserConfig = {
  publicDir: false,
  build: {
    lib: { entry: resolve(repository, "test/conformance/index.ts"), formats: ["es"], fileName: "suite" },
    outDir: resolve(repository, ".cache/conformance"),
    emptyOutDir: false,
    target: "es2022",
    minify: false,
    rolldownOptions: { external: [/^node:/, /^@tensorflow\//, /^@jax-js\//], output: { codeSplitting: false } },
  },
};

const demo = resolve(repository, "demo");
const pages = () => readdirSync(demo).filter((file) => file.endsWith(".html"));

/** Every demo/*.html is a page, and no other address is. The relative base lets the site lie under any path. */
const site = (): UserConfig => ({
  appType: "mpa",
  root: demo,
  base: "./",
  plugins: [siteShell()],
  build: {
    outDir: resolve(repository, "dist/site"),
    emptyOutDir: true,
    target: "es2022",
    // The policy lets nothing be fetched from a data: address.
    assetsInlineLimit: 0,
    rolldownOptions: { input: pages().map((page) => resolve(demo, page)) },
  },
  worker: { format: "es", plugins: () => [strippedShaders()] },
  server: { host: "127.0.0.1", port: 5173, fs: { allow: [repository] } },
});

export default defineConfig(({ mode }) => {
  const configuration = mode === "library" ? library : mode === "conformance" ? conformance : site();
  return { ...configuration, resolve: ownPackage, plugins: [strippedShaders(), ...(configuration.plugins ?? [])] };
});
