import { expect, test } from "vitest";
import { shortened, shortNamesOf } from "../shaders/shorten.ts";
import { unshortened } from "../src/webgpu/realNames.ts";
import { resolved } from "../src/webgpu/template.ts";
import { renamed } from "../src/webgpu/wgslNames.ts";
import { shaderFiles, stripShader } from "../vite.config.ts";

test("comments, blank lines and indentation go, lines stay lines", () => {
  const text = [
    "// sum",
    "",
    "fn add(a: f32, /* left */ b: f32) -> f32 { // two",
    "  /* a",
    "  b */",
    "  return a / b;",
    "}",
    "",
  ];
  expect(stripShader(text.join("\n"))).toBe("fn add(a: f32,   b: f32) -> f32 {\nreturn a / b;\n}");
});

test("what separates two tokens still does", () => {
  expect(stripShader("let/**/a = 1;/* x\n */let b = 2;")).toBe("let a = 1;\nlet b = 2;");
});

test("directives stay, each on a line of its own", () => {
  const text = ["//#import shared/sum // of two", "  //#for slot", "fn f_SLOT() {} // see //#if", "  //#end"];
  expect(stripShader(text.join("\n"))).toBe("//#import shared/sum\n//#for slot\nfn f_SLOT() {}\n//#end");
});

test("what a shader imports stands in its place, once, with what that imports before it", () => {
  const texts = { "shared/a": "//#import shared/b\nA", "shared/b": "B", rule: "//#import shared/b\nR" };
  expect(resolved("//#import shared/a\n//#import rule\nmain", { texts })).toBe("B\nA\nR\nmain\n");
});

test("a section stands under its condition, or once for each slot", () => {
  const lines = [
    "  //#if INTO",
    "  //#for slot",
    "  b_SLOT at INTO",
    "  //#end",
    "  //#end",
    "//#if EDGES",
    "edge",
    "//#end",
  ];
  const text = ["//#for slot", "a_SLOT", "//#end", ...lines, "end"].join("\n");
  const filling = { texts: {}, slots: 2 };
  expect(resolved(text, filling)).toBe("a_0\na_1\nend\n");
  const both = { ...filling, conditions: { INTO: true, EDGES: true } };
  expect(resolved(text, both)).toBe("a_0\na_1\n  b_0 at 2\n  b_1 at 3\nedge\nend\n");
});

test("an import under a condition that does not hold is not taken, but its text may be given", () => {
  const text = "//#if EDGES\n//#import shared/a\n//#end\nmain";
  const filling = { texts: { "shared/a": "A" } };
  expect(resolved(text, filling)).toBe("main\n");
  expect(resolved(text, { ...filling, conditions: { EDGES: true } })).toBe("A\nmain\n");
});

test("declared names become short; tokens, components, attributes, address spaces, numbers and exported names stay", () => {
  const files = new Map([
    ["shared/record", "struct ClipRecord {\nscale: vec2u,\n}"],
    [
      "units",
      "//#import shared/record\nvar<workgroup> workgroup: array<Partial, WORKGROUP_SIZE>;\nstruct Partial {\n@size(16) group: u32,\n}",
    ],
    [
      "kernel",
      "@group(0) @binding(SLOT) var<storage, ACCESS> gradients_SLOT: array<u32>;\nfn sum_of(value: vec4f, record: ClipRecord) -> f32 {\nlet scale = -value.x;\nreturn scale - 0x1p-24f * f32(record.scale.y);\n}",
    ],
  ]);
  const names = shortNamesOf(files);
  // Three local names, so that no global one is a, b or c.
  expect(names).toEqual({
    global: { d: "Partial", e: "sum_of", f: "workgroup" },
    member: { a: "group" },
    "fn sum_of": { a: "value", b: "record", c: "scale" },
  });
  expect(shortened(files.get("units") as string, names)).toBe(
    "//#import shared/record\nvar<workgroup>f:array<d,WORKGROUP_SIZE>;\nstruct d{\n@size(16)a:u32,\n}",
  );
  expect(shortened(files.get("kernel") as string, names)).toBe(
    "@group(0)@binding(SLOT)var<storage,ACCESS>gradients_SLOT:array<u32>;\nfn e(a:vec4f,b:ClipRecord)->f32{\nlet c=-a.x;\nreturn c-0x1p-24f*f32(b.scale.y);\n}",
  );
});

test("a line that would mean something else without its spaces is refused", () => {
  expect(() => shortened("let a = b - -c;", {})).toThrow("b - -c");
});

const spaceless = (text: string) => shortened(text, {});

test("the map of short names gives every shader back, but for spaces", () => {
  const files = shaderFiles();
  const names = shortNamesOf(files);
  expect(Object.keys(names.global ?? {}).length).toBeGreaterThan(100);
  for (const [file, text] of files) {
    const short = shortened(text, names);
    expect(short.length, file).toBeLessThan(text.length);
    expect(unshortened(short, names), file).toBe(spaceless(text));
  }
});

test("no function has a local name that it uses as a global one too", () => {
  const files = shaderFiles();
  const names = shortNamesOf(files);
  for (const text of [...files.values()].flatMap((text) => [text, shortened(text, names)])) {
    const globals = new Set<string>();
    const hidden: string[] = [];
    renamed(text, (name, scope) => {
      if (name === "fn") globals.clear();
      if (scope === "global") globals.add(name);
      else if (scope !== "member" && globals.has(name)) hidden.push(name);
      return name;
    });
    expect(hidden).toEqual([]);
  }
});

test("short names are global or local, never both", () => {
  const { global, member: _, ...locals } = shortNamesOf(shaderFiles());
  const local = Object.values(locals).flatMap((names) => Object.keys(names ?? {}));
  expect(local.filter((name) => name in (global ?? {}))).toEqual([]);
});

/** The reserved words of www.w3.org/TR/WGSL, which no name may be. */
const RESERVED = new Set(
  (
    "NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become cast catch class " +
    "co_await co_return co_yield coherent column_major common compile compile_fragment concept const_cast consteval " +
    "constexpr constinit crate debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export " +
    "extends extern external fallthrough filter final finally friend from fxgroup get goto groupshared highp impl " +
    "implements import inline instanceof interface layout lowp macro macro_rules match mediump meta mod module move " +
    "mut mutable namespace new nil noexcept noinline nointerpolation non_coherent noncoherent noperspective null " +
    "nullptr of operator package packoffset partition pass patch pixelfragment precise precision premerge priv " +
    "protected pub public readonly ref regardless register reinterpret_cast require resource restrict self set shared " +
    "sizeof smooth snorm static static_assert static_cast std subroutine super target template this thread_local " +
    "throw trait try type typedef typeid typename typeof union unless unorm unsafe unsized use using varying virtual " +
    "volatile wgsl where with writeonly yield"
  ).split(" "),
);

// The build gives names short ones, so that only those who compile the files as they are would find out.
test("no name that a shader declares is a reserved word of WGSL", () => {
  for (const [file, text] of shaderFiles()) {
    const declared = [...text.matchAll(/\b(?:fn|struct|alias|const|let|var(?:<[^>]*>)?) +(\w+)|(\w+):/g)];
    expect(
      declared.map(([, name, typed]) => name ?? typed).filter((name) => RESERVED.has(name as string)),
      file,
    ).toEqual([]);
  }
});
