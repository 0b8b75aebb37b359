// The page's wiring. For tests and the curious, `gradclipBenchmark` in the console holds the results.

import plain from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import simd from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import type { Results } from "../../bench/benchmark.ts";
import { type Environment, environmentOf } from "../../bench/environment.ts";
import { ownDevice } from "../../bench/gpu/ownDevice.ts";
import { resultsAsMarkdown } from "../../bench/markdown.ts";
import { machineName } from "../../bench/recorded.ts";
import type { Row } from "../../bench/types.ts";
import type { Preset } from "../../bench/workloads.ts";
import { addCopyButtons, copy } from "../shared/code.ts";
import { durationText, timeToGo } from "../shared/duration.ts";
import { newIssue } from "../shared/issue.ts";
import { byId } from "../shared/text.ts";
import { element } from "./elements.ts";
import { linkTo, resultsFrom } from "./link.ts";
import { plotsOf } from "./plots.ts";
import { loadRecorded } from "./recorded.ts";
import { sentenceOf } from "./sentence.ts";
import { workloadSection } from "./tables.ts";
import { contestantLabel, workloadLabel } from "./words.ts";

declare global {
  var gradclipBenchmark: Results | undefined;
}

type State = "loading" | "ready" | "running" | "finished" | "cancelled" | "failed";

const wasmPaths = {
  "tfjs-backend-wasm.wasm": plain,
  "tfjs-backend-wasm-simd.wasm": simd,
  "tfjs-backend-wasm-threaded-simd.wasm": threaded,
};
const address = new URLSearchParams(location.search);
const runButton = byId<HTMLButtonElement>("run");
const cancelButton = byId<HTMLButtonElement>("cancel");
const copyButtons = ["copy-link", "copy-json", "copy-markdown"].map((id) => byId<HTMLButtonElement>(id));
let gpu: GPU | undefined;
let wish = new AbortController();

function showState(state: State, text: string): void {
  document.body.dataset.state = state;
  byId("state").textContent = text;
  byId("turn").textContent = "";
  runButton.disabled = state === "loading" || state === "running";
  cancelButton.disabled = state !== "running";
  const hasResults = state !== "running" && globalThis.gradclipBenchmark !== undefined;
  for (const button of copyButtons) button.disabled = !hasResults;
  byId("download").hidden = !hasResults;
}

function fail(error: unknown): void {
  console.error(error);
  showState("failed", `Stopped: ${error instanceof Error ? error.message : error}`);
}

function presetOf(): Preset {
  const preset = address.get("preset");
  return preset === "quick" || preset === "full" ? preset : "page";
}

function showEnvironment(environment: Environment, lack: string): void {
  const { agent, adapter, isSoftware, features, limits, quantumNs, clockQuantumNs, cores } = environment;
  byId("backend").textContent = gpu
    ? `WebGPU · ${adapter}${isSoftware ? ": emulated in software, so that times say nothing about a GPU" : ""}`
    : `${lack} The CPU's contestants run instead.`;
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
    ["timestamps", quantumNs ? `in steps of ${durationText(quantumNs / 1e6)}` : "none: the clock is used"],
    ["clock", `in steps of ${durationText(clockQuantumNs / 1e6)}`],
  ];
  const pairs = entries.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]);
  byId("environment").replaceChildren(...pairs);
}

/** A table for each workload: a later one of the same workload takes its place. */
function showRows(rows: readonly Row[], container = byId("tables")): void {
  const section = workloadSection(rows);
  const { workload } = section.dataset;
  const earlier = [...container.children].find((child) => (child as HTMLElement).dataset.workload === workload);
  if (earlier) earlier.replaceWith(section);
  else container.append(section);
}

function showAllRows(rows: readonly Row[], container?: HTMLElement): void {
  for (const name of new Set(rows.map(({ workload }) => workload))) {
    showRows(
      rows.filter(({ workload }) => workload === name),
      container,
    );
  }
}

function showResults(results: Results, source: string): void {
  globalThis.gradclipBenchmark = results;
  byId("sentence").textContent = sentenceOf(results);
  const plots = plotsOf(results);
  if (plots) byId("plot").replaceChildren(...plots);
  for (const id of ["plot", "plot-note"]) byId(id).hidden = !plots;
  byId("source").textContent = plots ? source : `${source} Too few sizes ran for the plot.`;
  byId("recorded-tables").hidden = true;
  for (const { contestant, reason } of results.absent) {
    byId("tables").append(element("p", { class: "note" }, `${contestant} could not be started: ${reason}`));
  }
  const file = { command: "the benchmark page", date: new Date().toISOString(), ...results };
  const download = byId<HTMLAnchorElement>("download");
  URL.revokeObjectURL(download.href);
  download.href = URL.createObjectURL(new Blob([JSON.stringify(file)], { type: "application/json" }));
  const issue = newIssue(`Benchmark of ${results.environment.adapter}`, resultsAsMarkdown(results));
  const send = byId<HTMLAnchorElement>("send");
  send.hidden = !issue;
  if (issue) send.href = issue;
}

async function run(): Promise<void> {
  wish = new AbortController();
  globalThis.gradclipBenchmark = undefined;
  byId<HTMLProgressElement>("progress").value = 0;
  byId("tables").replaceChildren();
  byId("recorded-tables").hidden = true;
  showState("running", "Loading the contestants");
  // The library and the contestants load now, not with the page.
  const { runBenchmark } = await import("../../bench/benchmark.ts").catch((cause) => {
    throw new Error("the contestants could not be loaded. Reload the page to try again.", { cause });
  });
  const preliminary = new Map<string, Row[]>();
  let start = 0;
  const results = await runBenchmark({
    engine: "browser",
    preset: presetOf(),
    gpu,
    wasmPaths,
    signal: wish.signal,
    onTurn: (workload, contestant, done) => {
      start ||= performance.now();
      byId<HTMLProgressElement>("progress").value = done;
      if (wish.signal.aborted) return;
      byId("state").textContent = ["Running", timeToGo(performance.now() - start, done)].filter(Boolean).join(", ");
      byId("turn").textContent = `· ${workloadLabel(workload)}: ${contestantLabel(contestant)}`;
    },
    onRow: (row) => {
      const rows = [...(preliminary.get(row.workload) ?? []), row];
      preliminary.set(row.workload, rows);
      showRows(rows);
    },
    onRows: (rows, done, total) => {
      showRows(rows);
      byId<HTMLProgressElement>("progress").value = Math.max(byId<HTMLProgressElement>("progress").value, done / total);
    },
  });
  showResults(results, "This machine, just measured.");
  const kept = "What was measured until then is below.";
  if (results.stopped) showState(wish.signal.aborted ? "cancelled" : "failed", `${results.stopped} ${kept}`);
  else showState("finished", "Finished");
}

async function lookForGpu(): Promise<void> {
  let device: GPUDevice | undefined;
  let lack = "There is no WebGPU here.";
  try {
    device = navigator.gpu && (await ownDevice(navigator.gpu));
  } catch (error) {
    lack = error instanceof Error ? error.message : String(error);
  }
  if (device) gpu = navigator.gpu;
  showEnvironment(await environmentOf("browser", device), lack);
  device?.destroy();
}

/** `#results=` in the address: a run that somebody else has sent. */
async function showShared(): Promise<void> {
  try {
    const shared = await resultsFrom(location.hash);
    if (!shared) return;
    byId("tables").replaceChildren();
    showAllRows(shared.rows);
    const { environment } = shared;
    showResults(shared, `From a link: measured on ${machineName(environment)}, ${environment.agent}.`);
  } catch {
    byId("sentence").textContent = "The results in this link cannot be read: a part of the link may be missing.";
  }
}

function connect(): void {
  runButton.addEventListener("click", () => run().catch(fail));
  cancelButton.addEventListener("click", () => {
    wish.abort();
    cancelButton.disabled = true;
    byId("state").textContent = "Cancelling: the turn under way ends first.";
  });
  const copied: [string, () => string | Promise<string>][] = [
    ["copy-link", () => linkTo(globalThis.gradclipBenchmark as Results)],
    ["copy-json", () => JSON.stringify(globalThis.gradclipBenchmark)],
    ["copy-markdown", () => resultsAsMarkdown(globalThis.gradclipBenchmark as Results)],
  ];
  for (const [id, textOf] of copied) {
    const button = byId<HTMLButtonElement>(id);
    button.addEventListener("click", async () => copy(await textOf(), button));
  }
  byId("recorded-tables").addEventListener("toggle", () => {
    if (byId("recorded-tables").childElementCount > 1) return;
    loadRecorded().then(
      ({ rows }) => showAllRows(rows, byId("recorded-tables")),
      () => byId("recorded-tables").append(element("p", {}, "The recorded run could not be loaded.")),
    );
  });
  addEventListener("hashchange", showShared);
}

async function start(): Promise<void> {
  addCopyButtons();
  connect();
  await showShared();
  await lookForGpu();
  showState("ready", "Ready: a run takes about a minute.");
  if (address.get("run") === "1") await run();
}

start().catch(fail);
