// The suite in the visitor's browser: progress, a verdict, a list by group, a report to copy or to send.

import { addCopyButtons, copy } from "../shared/code.ts";
import { timeToGo } from "../shared/duration.ts";
import { oncePerFrame } from "../shared/frame.ts";
import { newIssue } from "../shared/issue.ts";
import { byId } from "../shared/text.ts";
import { trustOwnWorkers } from "../shared/trusted.ts";
import { Groups } from "./groups.ts";
import { type Device, describeDevice, type Result, reportOf } from "./report.ts";
import type { Check, Message } from "./worker.ts";

type State = "idle" | "running" | "finished" | "failed" | "cancelled";

const start = byId<HTMLButtonElement>("start");
const cancel = byId<HTMLButtonElement>("cancel");
const copyReport = byId<HTMLButtonElement>("copy-report");
const send = byId<HTMLAnchorElement>("send");
const groups = new Groups(byId("groups"));

let device: Device | string = "";
let isLost = false;
let results: Result[] = [];
let worker: Worker | undefined;
let caseCount = 0;
let startTime = 0;

const noWorker =
  "The check could not start, because the browser did not start its worker. Reload the page; if that does not help, an extension or the server's policy may block workers.";

async function run(): Promise<void> {
  results = [];
  caseCount = 0;
  groups.clear();
  show("running", "Not checked yet", isLost ? "Looking for a GPU…" : "Loading the suite…");
  draw();
  // After a loss there may be a new device.
  if (isLost) await lookForDevice();
  // Meanwhile the visitor may have cancelled.
  if (document.body.dataset.state === "running") startWorker();
}

function startWorker(): void {
  try {
    worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  } catch {
    finish("failed", "No verdict", noWorker);
    return;
  }
  const current = worker;
  // What a worker sent before it was ended still arrives: it is of no run any more.
  current.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    if (worker === current) receive(data);
  });
  current.addEventListener("error", ({ message }) => {
    if (worker === current) finish("failed", "No verdict", message ? `The check stopped: ${message}` : noWorker);
  });
  const heavy = byId<HTMLInputElement>("heavy").checked;
  // ?filter=norms in the address: part of the names of the cases to run.
  const filter = new URLSearchParams(location.search).get("filter") ?? undefined;
  current.postMessage({ heavy, isOnCpu: typeof device === "string", filter } satisfies Check);
}

function receive(message: Message): void {
  if ("count" in message) {
    caseCount = message.count;
    startTime = performance.now();
  } else if ("lost" in message) {
    finishLost(message.lost);
  } else if ("crash" in message) {
    finish("failed", "No verdict", `The check stopped after ${results.length} cases: ${message.crash}`);
  } else if ("adapter" in message) {
    const place = message.adapter === "cpu" ? "the CPU" : message.adapter;
    const { passed, failed } = message;
    const total = (passed + failed).toLocaleString("en");
    if (failed === 0) finish("finished", `Right: all ${total} cases passed`, `Every case passed, on ${place}.`);
    else finish("finished", `Wrong: ${failed} of ${total} cases failed`, `${failed} of the cases failed, on ${place}.`);
  } else {
    results.push(message);
    groups.add(message);
  }
  requestFrame();
}

const requestFrame = oncePerFrame(draw);

function failures(): number {
  return results.filter(({ error }) => error !== undefined).length;
}

function draw(): void {
  const failed = failures();
  byId("counts").textContent = results.length
    ? `${results.length - failed} passed, ${failed} failed`
    : "None has run yet.";
  const done = caseCount ? results.length / caseCount : 0;
  byId<HTMLProgressElement>("progress").value = done;
  groups.draw();
  if (document.body.dataset.state !== "running" || !caseCount) return;
  byId("verdict").textContent = `${results.length.toLocaleString("en")} of ${caseCount.toLocaleString("en")} cases`;
  const rest = timeToGo(performance.now() - startTime, done);
  byId("state").textContent = [rest, results.at(-1)?.name ?? "The first case runs."].filter(Boolean).join(" · ");
}

/** The first reason stands: what comes after it is of no run. */
function finish(state: "finished" | "failed" | "cancelled", verdict: string, text: string): void {
  worker?.terminate();
  worker = undefined;
  show(state, verdict, text);
  const report = reportOf(device, results, text);
  byId<HTMLTextAreaElement>("report").value = report;
  const issue = newIssue(verdict, report);
  send.hidden = !issue;
  if (issue) send.href = issue;
  draw();
}

function finishLost(reason: string): void {
  isLost = true;
  const why = reason || "the browser does not say why.";
  finish("failed", "No verdict: the GPU was lost", `The GPU was lost after ${results.length} cases: ${why}`);
}

function show(state: State, verdict: string, text: string): void {
  document.body.dataset.state = state;
  byId("card").className = state === "finished" ? `card ${failures() ? "wrong" : "right"}` : "card";
  byId("verdict").textContent = verdict;
  byId("state").textContent = text;
  start.disabled = state === "running";
  cancel.disabled = state !== "running";
  copyReport.disabled = state === "running" || results.length === 0;
  send.hidden = true;
  start.textContent = results.length > 0 && state !== "running" ? "Check again" : "Check";
}

async function lookForDevice(): Promise<void> {
  device = await describeDevice();
  byId("device").textContent = typeof device === "string" ? "this CPU" : device.adapter;
  if (typeof device === "string") return;
  isLost = false;
  const current = device;
  current.canary.lost.then(({ message }) => {
    if (isLost || device !== current) return;
    isLost = true;
    if (document.body.dataset.state === "running") finishLost(message);
  });
}

start.addEventListener("click", run);
cancel.addEventListener("click", () =>
  finish(
    "cancelled",
    "No verdict: cancelled",
    `Cancelled after ${results.length} case${results.length === 1 ? "" : "s"}.`,
  ),
);
copyReport.addEventListener("click", () => copy(byId<HTMLTextAreaElement>("report").value, copyReport));
addCopyButtons();
trustOwnWorkers();

function readyText(): string {
  if (typeof device === "string") return `${device} The suite can run on the CPU path.`;
  if (device.isSoftware) return "Ready. It takes several minutes: WebGPU is emulated in software here.";
  return "Ready. It takes a minute or two.";
}

await lookForDevice();
show("idle", "Not checked yet", readyText());
