import { table } from "../markdown.ts";
import type { Compiled, Counted } from "./compiled.mjs";

/** Public figures of a card. A unit begins one instruction for 64 lanes in a cycle, whatever it does. */
interface Card {
  readonly name: string;
  readonly units: number;
  readonly gigahertz: number;
  readonly gigabytesPerSecond: number;
}

const cards: Record<string, Card> = {
  vega10: { name: "Vega 64", units: 64, gigahertz: 1.5, gigabytesPerSecond: 484 },
  navi21: { name: "RX 6800", units: 60, gigahertz: 2.1, gigabytesPerSecond: 512 },
  navi31: { name: "RX 7900 XTX", units: 96, gigahertz: 2.4, gigabytesPerSecond: 960 },
  phoenix: { name: "Radeon 780M", units: 12, gigahertz: 2.7, gigabytesPerSecond: 90 },
};

const LANES = 64;
const WORD_BYTES = 16;
const DETAIL = "navi31";

/** Kernels that read words of 16 bytes, or read and write them, in their inner loop. */
const STREAMS = /^(norm|scale in-place) .*vec4 by/;

/** How many times faster the arithmetic of an inner loop is than the memory that feeds it. */
export function marginsTable(compiled: readonly Compiled[]): string {
  const tint = compiled.filter(({ engine, family }) => engine === "node" && cards[family]);
  const names =
    tint[0]?.kernels.map(({ name }) => name).filter((name) => STREAMS.test(name) && name.endsWith("x7")) ?? [];
  const body = names.map((name) => [
    nameOf(name),
    ...tint.map(({ family, kernels }) =>
      marginCell(
        kernels.find((kernel) => kernel.name === name),
        cards[family] as Card,
      ),
    ),
  ]);
  return table(
    [
      "VALU instructions a word of a lane, and the margin",
      ...tint.map(({ family }) => `${cards[family]?.name} (${family})`),
    ],
    body,
  );
}

function marginCell(kernel: Counted | undefined, { units, gigahertz, gigabytesPerSecond }: Card): string {
  const counts = kernel?.loops[0]?.counts;
  // A loop over words that were loaded before it has stores only.
  const words = Math.max(counts?.load ?? 0, counts?.store ?? 0);
  if (!kernel || !counts || words === 0) return "";
  const bytes = LANES * WORD_BYTES * words * (kernel.name.startsWith("scale") ? 2 : 1);
  const [memoryNs, arithmeticNs] = [bytes / gigabytesPerSecond, counts.VALU / (units * gigahertz)];
  const margin = memoryNs / arithmeticNs;
  return `${(counts.VALU / words).toFixed(1)}, ${margin.toFixed(margin < 10 ? 1 : 0)} x`;
}

/** Whole kernels, by both compilers of WGSL. */
export function codeTable(compiled: readonly Compiled[]): string {
  const of = (engine: string) => compiled.find((one) => one.engine === engine && one.family === DETAIL)?.kernels ?? [];
  const names = [...new Set(of("node").map(({ name }) => stemOf(name)))];
  const cell = (engine: string, stem: string, bindings: number) => {
    const kernel = of(engine).find((one) => stemOf(one.name) === stem && one.bindings.includes(bindings));
    return kernel ? `${kernel.instructions} / ${kernel.bytes}` : "";
  };
  const body = names.map((stem) => {
    const { vgprs, waves, spills } = of("node").find(({ name }) => stemOf(name) === stem) as Counted;
    const sizes = [7, 15].flatMap((bindings) => ["node", "deno"].map((engine) => cell(engine, stem, bindings)));
    return [stem, ...sizes, `${vgprs} / ${waves}`, String(spills)];
  });
  const head = [
    "instructions / bytes of code",
    "7 bindings, Tint",
    "7, naga",
    "15, Tint",
    "15, naga",
    "VGPRs / waves",
    "spills",
  ];
  return table(head, body);
}

/** What the page that clips first waits for. */
export function firstLoadTable(compiled: readonly Compiled[]): string {
  const body = compiled.flatMap(({ family, engine, kernels }) =>
    [7, 15].map((bindings) => {
      const asked = kernels.filter((kernel) => kernel.isFirst && kernel.bindings.includes(bindings));
      const sum = (key: "instructions" | "cpuMs" | "driverMs") => asked.reduce((all, kernel) => all + kernel[key], 0);
      const ms = `${sum("cpuMs").toFixed(0)} (${sum("driverMs").toFixed(0)})`;
      return [
        `${family}, ${engine === "deno" ? "naga" : "Tint"}`,
        String(bindings),
        String(asked.length),
        String(sum("instructions")),
        ms,
      ];
    }),
  );
  return table(["from prepare to ready, f32", "bindings", "pipelines", "instructions", "ms of CPU (RADV's)"], body);
}

function stemOf(name: string): string {
  return name.replace(/ by .*| x[\d,]+$/, "");
}

function nameOf(name: string): string {
  return stemOf(name).replace(" in-place", "");
}
