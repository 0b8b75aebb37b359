// The page's wiring: settings in, descents from the worker, drawings out.

import { requestedBackend } from "../shared/address.ts";
import { oncePerFrame } from "../shared/frame.ts";
import { markPreset } from "../shared/presets.ts";
import { explainTerms } from "../shared/terms.ts";
import { byId, written } from "../shared/text.ts";
import { trustOwnWorkers } from "../shared/trusted.ts";
import { Controls } from "./controls.ts";
import { showFacts, showStartsFact } from "./facts.ts";
import type { Ending } from "./field.ts";
import { FieldView } from "./fieldView.ts";
import { CliffMap, lastOf } from "./map.ts";
import { OneStep } from "./oneStep.ts";
import type { Path } from "./path.ts";
import { Requests } from "./requests.ts";
import { type Settings, settingsFromAddress, stepCount, toAddress } from "./settings.ts";
import { Strips } from "./strips.ts";
import { arrivedBelow, isInside } from "./surface.ts";
import { showSurface } from "./surfaceView.ts";

trustOwnWorkers();
const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
let settings = settingsFromAddress();
let isAddressOld = false;
let paths: { unclipped: Path; clipped: Path } | undefined;
const fields: { unclipped?: Ending[]; clipped?: Ending[] } = {};

const map = new CliffMap(byId("paths"), byId("start"), ({ w, b }) => change({ w, b }));
const strips = new Strips(["loss", "norm", "scale"].map(byId), stepCount, {
  onStep: (step) => change({ step }),
  onBound: (bound) => change({ bound }),
});
const oneStep = new OneStep(document.querySelector("#vectors") as SVGSVGElement, byId("sentences"));
const fieldViews = {
  unclipped: new FieldView(byId("field-unclipped"), (start) => change({ ...start, starts: "one" })),
  clipped: new FieldView(byId("field-clipped"), (start) => change({ ...start, starts: "one" })),
};
const controls = new Controls(change);

const requests = new Requests(worker, {
  onPaths: (found) => {
    paths = found;
    strips.draw(paths.unclipped, paths.clipped);
    requestFrame();
  },
  onField: (which, field) => {
    fields[which] = field;
    fieldViews[which].draw(field);
    const { unclipped, clipped } = fields;
    if (unclipped && clipped) showStartsFact(unclipped, clipped);
    requestFrame();
  },
});

function change(changed: Partial<Settings>): void {
  settings = { ...settings, ...changed };
  isAddressOld = true;
  controls.show(settings);
  requests.want(settings);
  requestFrame();
}

const requestFrame = oncePerFrame(draw);

function draw(): void {
  // At most once a frame, and not when only a path came: a link that was just followed would be lost.
  if (isAddressOld) toAddress(settings);
  isAddressOld = false;
  if (document.body.dataset.starts !== settings.starts) document.body.dataset.starts = settings.starts;
  if (!paths) return;
  const { w, b, step, method, bound, rate } = settings;
  map.draw({ ...paths, start: { w, b }, step });
  strips.mark(step, bound);
  oneStep.show(paths.clipped, step, method, bound, rate);
  byId("unclipped-end").textContent = ending(paths.unclipped);
  byId("clipped-end").textContent = method === "none" ? "the same: nothing is clipped" : ending(paths.clipped);
  showFacts(settings, paths);
  markPreset(byId("presets"), { ...settings });
  document.body.dataset.state = "drawn";
  performance.mark("draw");
  if (settings.starts === "one") startSurface();
}

function ending(path: Path): string {
  const error = path.error.at(-1) as number;
  const end = lastOf(path);
  if (!isInside(end)) return `thrown off the map, to (${written(end.w)}, ${written(end.b)}); error ${written(error)}`;
  return `${error < arrivedBelow ? "arrives" : "does not arrive"} in ${stepCount} steps: error ${written(error)}`;
}

byId("play").addEventListener("click", () => oneStep.play());
byId("next").addEventListener("click", () => change({ step: Math.min(stepCount, settings.step + 1) }));
byId("previous").addEventListener("click", () => change({ step: Math.max(0, settings.step - 1) }));
byId("wall").addEventListener("click", () => change({ step: largestNorm() }));
byId("paths").addEventListener("contextrestored", () => map.redraw());
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

let hasSurface = false;
/** Once, when the map is seen: before, it has no size. */
function startSurface(): void {
  if (hasSurface) return;
  hasSurface = true;
  showSurface(byId("surface"), worker, requestedBackend(), (badge) => {
    byId("backend").textContent = badge;
  });
}

explainTerms();
change({});
