// The suite in the visitor's browser: progress, a list by group, a report to copy.

import { copy, showCode } from "../shared/code.ts";
import { oncePerFrame } from "../shared/frame.ts";
import { byId } from "../shared/text.ts";
import { Groups } from "./groups.ts";
import { canary, type Device, describeDevice, type Result, reportOf } from "./report.ts";
import type { Check, Message } from "./worker.ts";
import workerSource from "./worker.ts?raw";

const start = byId<HTMLButtonElement>("start");
const cancel = byId<HTMLButtonElement>("cancel");
const copyReport = byId<HTMLButtonElement>("copy-report");
const groups = new Groups(byId("groups"));

let device: Device | string = "";
let results: Result[] = [];
let worker: Worker | undefined;
let caseCount = 0;

function run(): void {
  results = [];
  groups.clear();
  worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<Message>) => receive(data));
  worker.addEventListener("error", ({ message }) => finish("failed", message || "The worker could not start."));
  const heavy = byId<HTMLInputElement>("heavy").checked;
  // ?filter=norms in the address: part of the names of the cases to run.
  const filter = new URLSearchParams(location.search).get("filter") ?? undefined;
  worker.postMessage({ heavy, filter } satisfies Check);
  show("running", "Starting…");
}

function receive(message: Message): void {
  if ("crash" in message) {
    finish("failed", message.crash);
    return;
  }
  if ("adapter" in message) {
    const verdict = message.failed === 0 ? "Every case passed" : `${message.failed} of the cases failed`;
    finish("finished", `${verdict}, on ${message.adapter === "cpu" ? "the CPU" : message.adapter}.`);
    return;
  }
  results.push(message);
  groups.add(message);
  requestFrame();
}

const requestFrame = oncePerFrame(draw);

function draw(): void {
  const failed = results.filter(({ error }) => error !== undefined).length;
  byId("counts").textContent = `${results.length - failed} passed, ${failed} failed`;
  byId<HTMLProgressElement>("progress").value = caseCount ? Math.min(1, results.length / caseCount) : 0;
  groups.draw();
  if (document.body.dataset.state === "running") byId("state").textContent = results.at(-1)?.name ?? "Starting…";
}

function finish(state: "finished" | "failed" | "cancelled", text: string): void {
  worker?.terminate();
  worker = undefined;
  if (state === "finished") caseCount = results.length;
  show(state, text);
  byId<HTMLTextAreaElement>("report").value = reportOf(device, results, text);
  draw();
}

function show(state: string, text: string): void {
  document.body.dataset.state = state;
  byId("state").textContent = text;
  start.disabled = state === "running";
  cancel.disabled = state !== "running";
  copyReport.disabled = state === "running" || results.length === 0;
  start.textContent = results.length > 0 && state !== "running" ? "Check again" : "Check";
}

start.addEventListener("click", run);
cancel.addEventListener("click", () => finish("cancelled", `Cancelled after ${results.length} cases.`));
copyReport.addEventListener("click", () => copy(byId<HTMLTextAreaElement>("report").value, copyReport));
showCode(byId("code"), workerSource.trimEnd());

device = await describeDevice();
// Kept in a variable: a device that is collected is never lost.
const watched = await canary().catch(() => undefined);
watched?.lost.then(({ message }) => {
  const reason = message || "the browser does not say why.";
  if (worker) finish("failed", `The GPU was lost after ${results.length} cases: ${reason}`);
});
if (typeof device !== "string") byId("device").textContent = device.adapter;
show(
  "idle",
  typeof device === "string" ? `${device} The suite can run on the CPU path.` : "Ready. It takes a minute or two.",
);
