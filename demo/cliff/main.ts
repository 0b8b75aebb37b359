// The page's wiring: settings in, paths from the worker, three drawings out.

import { requestedBackend } from "../shared/address.ts";
import { showCode } from "../shared/code.ts";
import { oncePerFrame } from "../shared/frame.ts";
import { byId, written } from "../shared/text.ts";
import { Controls } from "./controls.ts";
import descentSource from "./descent.ts?raw";
import { CliffMap, isInside, lastOf } from "./map.ts";
import { OneStep } from "./oneStep.ts";
import type { Path } from "./path.ts";
import { type Settings, settingsFromAddress, stepCount, toAddress } from "./settings.ts";
import { Strips } from "./strips.ts";
import { showSurface } from "./surfaceView.ts";
import type { Answer, DescentRequest } from "./worker.ts";

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
let settings = settingsFromAddress();
let paths: { unclipped: Path; clipped: Path } | undefined;

const map = new CliffMap(byId("paths"), byId("start"), ({ w, b }) => change({ w, b }));
const strips = new Strips(["loss", "norm", "scale"].map(byId), stepCount, {
  onStep: (step) => change({ step }),
  onBound: (bound) => change({ bound }),
});
const oneStep = new OneStep(document.querySelector("#vectors") as SVGSVGElement, byId("sentences"));
const controls = new Controls(change);

function change(changed: Partial<Settings>): void {
  const needsPaths = Object.keys(changed).some((name) => name !== "step");
  settings = { ...settings, ...changed };
  controls.show(settings);
  if (needsPaths) requestPaths();
  requestFrame();
}

// The worker has one request at a time. If settings change meanwhile, one more request follows with the latest settings.
let isComputing = false;
let isStale = false;

function requestPaths(): void {
  isStale = isComputing;
  if (isComputing) return;
  isComputing = true;
  const { w, b, rate, method, bound } = settings;
  const descents: DescentRequest = { start: { w, b }, rate, method, bound, steps: stepCount };
  worker.postMessage({ descents });
}

worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
  if (!("clipped" in data)) return;
  isComputing = false;
  paths = data;
  strips.draw(paths.unclipped, paths.clipped);
  requestFrame();
  if (isStale) requestPaths();
});

const requestFrame = oncePerFrame(draw);

function draw(): void {
  toAddress(settings);
  if (!paths) return;
  const { w, b, step, method, bound, rate } = settings;
  map.draw({ ...paths, start: { w, b }, step });
  strips.mark(step, bound);
  oneStep.show(paths.clipped, step, method, bound, rate);
  byId("unclipped-end").textContent = ending(paths.unclipped);
  byId("clipped-end").textContent = method === "none" ? "the same: nothing is clipped" : ending(paths.clipped);
  document.body.dataset.state = "drawn";
  performance.mark("draw");
}

function ending(path: Path): string {
  const error = path.error.at(-1) as number;
  const end = lastOf(path);
  if (!isInside(end)) return `thrown off the map, to (${written(end.w)}, ${written(end.b)}); error ${written(error)}`;
  return `${error < 0.01 ? "arrives" : "does not arrive"} in ${stepCount} steps: error ${written(error)}`;
}

byId("play").addEventListener("click", () => oneStep.play());
byId("next").addEventListener("click", () => change({ step: Math.min(stepCount, settings.step + 1) }));
byId("previous").addEventListener("click", () => change({ step: Math.max(0, settings.step - 1) }));
byId("wall").addEventListener("click", () => change({ step: largestNorm() }));
new ResizeObserver(() => map.redraw()).observe(byId("paths"));

/** The step at which the clipped descent met the largest gradient. */
function largestNorm(): number {
  const { before } = paths?.clipped ?? { before: new Float32Array() };
  let [largest, at] = [0, 0];
  for (let step = 0; step < stepCount; step++) {
    const norm = Math.hypot(before[2 * step] as number, before[2 * step + 1] as number);
    if (norm > largest) [largest, at] = [norm, step];
  }
  return at;
}

// The page runs gradclip's source beside it; a reader has the package.
showCode(byId("code"), descentSource.replace("../../src/index.ts", "gradclip").trimEnd());
controls.show(settings);
requestPaths();
showSurface(byId("surface"), worker, requestedBackend(), (badge) => {
  byId("backend").textContent = badge;
});
