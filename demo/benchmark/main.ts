// The page's wiring. For tests and the curious, `gradclipBenchmark` in the console holds the results.

import plain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import type { Results } from "../../bench/benchmark.ts";
import contestantSource from "../../bench/contestants/gradclip.ts?raw";
import { type Environment, environmentOf } from "../../bench/environment.ts";
import { ownDevice } from "../../bench/gpu/ownDevice.ts";
import { resultsAsMarkdown } from "../../bench/markdown.ts";
import { bandwidthPlot } from "../../bench/plot.ts";
import type { Row } from "../../bench/types.ts";
import type { Preset } from "../../bench/workloads.ts";
import { copy, showCode } from "../shared/code.ts";
import { byId } from "../shared/text.ts";
import { element } from "./elements.ts";
import { headlineOf } from "./headline.ts";
import { workloadSection } from "./tables.ts";

declare global {
  var gradclipBenchmark: Results | undefined;
}

const wasmPaths = {
  "tfjs-backend-wasm.wasm": plain,
  "tfjs-backend-wasm-simd.wasm": simd,
  "tfjs-backend-wasm-threaded-simd.wasm": threaded,
};
const address = new URLSearchParams(location.search);
const runButton = byId<HTMLButtonElement>("run");
const copyButtons = [byId<HTMLButtonElement>("copy-json"), byId<HTMLButtonElement>("copy-markdown")];
let gpu: GPU | undefined;

function showState(state: "loading" | "ready" | "running" | "finished" | "failed", text: string): void {
  document.body.dataset.state = state;
  byId("state").textContent = text;
  byId("turn").textContent = "";
  runButton.disabled = state === "loading" || state === "running";
  for (const button of copyButtons) button.disabled = state !== "finished";
}

function fail(error: unknown): void {
  console.error(error);
  showState("failed", `Stopped: ${error instanceof Error ? error.message : error}`);
}

function presetOf(): Preset {
  const preset = address.get("preset");
  return preset === "quick" || preset === "full" ? preset : "page";
}

function showEnvironment(environment: Environment): void {
  const { agent, adapter, isSoftware, features, limits, quantumNs, clockQuantumNs, cores } = environment;
  byId("backend").textContent = gpu
    ? `WebGPU · ${adapter}${isSoftware ? ": emulated in software, so that times say nothing about a GPU" : ""}`
    : "no WebGPU here: the CPU's contestants run instead";
  const entries: [string, string][] = [
    ["adapter", adapter],
    ["browser", agent],
    ["processor", `${cores ?? "unknown"} cores`],
    ["features", features.join(", ") || "none"],
    [
      "limits",
      Object.entries(limits)
        .map(([name, value]) => `${name} ${value.toLocaleString("en")}`)
        .join(", ") || "none",
    ],
    ["timestamps", quantumNs ? `in steps of ${quantumNs.toLocaleString("en")} ns` : "none: the clock is used"],
    ["clock", `in steps of ${clockQuantumNs.toLocaleString("en")} ns`],
  ];
  const pairs = entries.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]);
  byId("environment").replaceChildren(...pairs);
}

function showRows(rows: readonly Row[], done: number, total: number): void {
  byId<HTMLProgressElement>("progress").value = done / total;
  byId("tables").append(workloadSection(rows));
}

function showResults(results: Results): void {
  globalThis.gradclipBenchmark = results;
  byId("headline").replaceChildren(...headlineOf(results));
  byId("headline").hidden = false;
  const plot = bandwidthPlot(results);
  byId("bandwidth").hidden = plot === undefined;
  // The plot is made from numbers and from names in the source: it is safe as HTML.
  byId("plot").innerHTML = plot ?? "";
  for (const { contestant, reason } of results.absent) {
    byId("tables").append(element("p", { class: "note" }, `${contestant} could not be started: ${reason}`));
  }
}

async function run(): Promise<void> {
  showState("running", "Running");
  byId("tables").replaceChildren();
  // The library and the contestants load now, not with the page.
  const { runBenchmark } = await import("../../bench/benchmark.ts");
  const results = await runBenchmark({
    engine: "browser",
    preset: presetOf(),
    gpu,
    wasmPaths,
    onTurn: (workload, contestant) => {
      byId("turn").textContent = `· ${workload}: ${contestant}`;
    },
    onRows: showRows,
  });
  showResults(results);
  showState("finished", "Finished");
}

async function start(): Promise<void> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (adapter) {
    gpu = navigator.gpu;
    const device = await ownDevice(gpu);
    showEnvironment(await environmentOf("browser", device));
    device.destroy();
  } else {
    showEnvironment(await environmentOf("browser"));
  }
  runButton.addEventListener("click", () => run().catch(fail));
  byId("copy-json").addEventListener("click", ({ currentTarget }) =>
    copy(JSON.stringify(globalThis.gradclipBenchmark), currentTarget as HTMLButtonElement),
  );
  byId("copy-markdown").addEventListener("click", ({ currentTarget }) =>
    copy(resultsAsMarkdown(globalThis.gradclipBenchmark as Results), currentTarget as HTMLButtonElement),
  );
  showCode(byId("code"), contestantSource.replace("../../src/index.ts", "gradclip").trimEnd());
  showState("ready", "Ready: a run takes about a minute.");
  if (address.get("run") === "1") await run();
}

start().catch(fail);
