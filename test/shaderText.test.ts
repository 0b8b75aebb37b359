import { expect, test } from "vitest";
import { stripShader } from "../vite.config.ts";

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
