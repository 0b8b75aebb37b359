import {
  countsAt,
  type LaneName,
  type LanePlan,
  laneNames,
  lanesAt,
  type Runner,
  raceSteps,
  runnerAt,
  runnersOf,
} from "../../bench/experiment/race.ts";
import type { Summary } from "../../bench/experiment/summary.ts";
import { durationText } from "../shared/duration.ts";
import { byId } from "../shared/text.ts";
import { type RacePlace, raceFromAddress, writeRace } from "./raceAddress.ts";
import { Stopwatch } from "./stopwatch.ts";

/** The replay takes ten seconds. */
const stepsPerSecond = raceSteps / 10;
/** After a hidden time the replay goes on where it was. */
const longestFrame = 100;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const recordedText = "Recorded: this replays an experiment that ran before. Nothing trains here yet.";

/** What the worker trains for the race. An answer with another id is late. */
export interface RaceRequest {
  id: number;
  lanes: { name: LaneName; plan: LanePlan }[];
  steps: number;
}

export interface RaceReport {
  id: number;
  step: number;
  lanes: { name: LaneName; runners: Runner[] }[];
}

interface Events {
  onTrain(request: RaceRequest): void;
  onCancel(): void;
}

type State = "recorded" | "training" | "finished" | "cancelled";

/** The lanes, their controls, and the replay of the recorded experiment. */
export class Race {
  readonly #summary: Summary;
  readonly #events: Events;
  readonly #rate = byId<HTMLInputElement>("race-rate");
  readonly #step = byId<HTMLInputElement>("race-step");
  readonly #play = byId<HTMLButtonElement>("race-play");
  readonly #train = byId<HTMLButtonElement>("race-train");
  readonly #cancel = byId<HTMLButtonElement>("race-cancel");
  readonly #watch = new Stopwatch();
  /** Of the recording, or of what trains here. */
  #runners: Partial<Record<LaneName, readonly Runner[]>> = {};
  /** What the visitor chose: the address says it. */
  #place: RacePlace = {};
  #at = 0;
  #state: State = "recorded";
  #isPlaying = false;
  #frame = 0;
  #id = 0;

  constructor(summary: Summary, events: Events) {
    this.#summary = summary;
    this.#events = events;
    this.#rate.max = String(this.#rates.length - 1);
    this.#place = raceFromAddress();
    this.#rate.addEventListener("input", () => {
      this.#note({ ...this.#place, raceRate: this.#rates[this.#rate.valueAsNumber] });
      this.#takeRate();
    });
    this.#step.addEventListener("input", () => this.#scrub());
    this.#play.addEventListener("click", () => this.#togglePlay());
    this.#train.addEventListener("click", () => this.#startTraining());
    this.#cancel.addEventListener("click", () => this.cancel());
    document.addEventListener("visibilitychange", () => this.#watch.run(this.isTraining && !document.hidden));
    for (const element of [this.#rate, this.#step, this.#play]) element.disabled = false;
    addEventListener("hashchange", () => this.#takeAddress());
    this.#takePlace();
    if (this.#place.raceStep !== undefined) return;
    if (reducedMotion.matches) this.#moveTo(raceSteps);
    else this.#replayFrom(0);
  }

  get isTraining(): boolean {
    return this.#state === "training";
  }

  /** The worker can train now. */
  set canTrain(wanted: boolean) {
    this.#train.disabled = !wanted || this.isTraining;
    this.#train.dataset.ready = String(wanted);
  }

  report({ id, step, lanes }: RaceReport): void {
    if (id !== this.#id || !this.isTraining) return;
    for (const { name, runners } of lanes) this.#runners[name] = runners;
    this.#moveTo(step);
    // The first step's time holds the compiling, and says nothing of the others.
    if (step === 1) this.#watch.reset();
    const left = (this.#watch.elapsed / (step - 1)) * (raceSteps - step);
    const leftText = step === 1 ? "" : `, ${durationText(1000 * Math.ceil(left / 1000))} to go`;
    this.#say(`Training here, on this machine: step ${step} of ${raceSteps}${leftText}.`);
    if (step < raceSteps) return;
    this.#say("Trained here, on this machine.");
    this.#show("finished");
  }

  cancel(): void {
    if (!this.isTraining) return;
    this.#say(`Cancelled at step ${this.#at}. Replay shows the recording again.`);
    this.#show("cancelled");
    this.#events.onCancel();
  }

  get #rates(): readonly number[] {
    return this.#summary.configuration.learningRates;
  }

  get #plans(): Record<LaneName, LanePlan> {
    return lanesAt(this.#summary, this.#rates[this.#rate.valueAsNumber] as number);
  }

  /** A link that says nothing of the race leaves it as it is. */
  #takeAddress(): void {
    const wanted = raceFromAddress();
    const isAsked = Object.keys(wanted).length > 0 && !this.isTraining;
    this.#note(isAsked ? wanted : this.#place);
    if (!isAsked) return;
    this.#pausePlay();
    this.#takePlace();
  }

  #takePlace(): void {
    const { raceRate = this.#summary.findings.norm.bestRate, raceStep } = this.#place;
    this.#rate.valueAsNumber = this.#rates.indexOf(raceRate);
    this.#takeRate();
    if (raceStep !== undefined) this.#moveTo(raceStep);
  }

  #note(place: RacePlace): void {
    this.#place = place;
    writeRace(place);
  }

  /** The recording at the slider's rate. */
  #takeRate(): void {
    const plans = this.#plans;
    for (const name of laneNames) {
      this.#runners[name] = runnersOf(this.#summary, plans[name]);
      write(`#lane-${name} output`, String(plans[name].learningRate));
    }
    write("#race-rate-output", String(plans.none.learningRate));
    this.#rate.setAttribute("aria-valuetext", String(plans.none.learningRate));
    this.#say(recordedText);
    this.#show("recorded");
    this.#moveTo(this.#at);
  }

  #scrub(): void {
    this.#pausePlay();
    if (this.#state !== "recorded") this.#takeRate();
    this.#moveTo(this.#step.valueAsNumber);
    this.#note({ ...this.#place, raceStep: this.#at });
  }

  #togglePlay(): void {
    if (this.#isPlaying) {
      this.#pausePlay();
      this.#note({ ...this.#place, raceStep: Math.floor(this.#at) });
    } else {
      this.#note({ ...this.#place, raceStep: undefined });
      if (this.#state !== "recorded") this.#takeRate();
      this.#replayFrom(this.#at < raceSteps ? this.#at : 0);
    }
  }

  #replayFrom(step: number): void {
    this.#isPlaying = true;
    this.#play.textContent = "Pause";
    this.#moveTo(step);
    let last = performance.now();
    const frame = (now: number) => {
      if (!this.#isPlaying) return;
      this.#moveTo(Math.min(raceSteps, this.#at + (stepsPerSecond * Math.min(now - last, longestFrame)) / 1000));
      last = now;
      if (this.#at >= raceSteps) this.#pausePlay();
      else this.#frame = requestAnimationFrame(frame);
    };
    this.#frame = requestAnimationFrame(frame);
  }

  #pausePlay(): void {
    this.#isPlaying = false;
    cancelAnimationFrame(this.#frame);
    this.#play.textContent = "Replay";
  }

  #startTraining(): void {
    this.#pausePlay();
    const plans = this.#plans;
    const isShown = (name: LaneName) => name !== "value" || byId<HTMLDetailsElement>("race-by-value").open;
    const lanes = laneNames.filter(isShown).map((name) => ({ name, plan: plans[name] }));
    this.#runners = {};
    this.#moveTo(0);
    this.#say("Training here, on this machine: compiling…");
    this.#show("training");
    this.#events.onTrain({ id: ++this.#id, lanes, steps: raceSteps });
  }

  #moveTo(step: number): void {
    this.#at = step;
    this.#step.valueAsNumber = step;
    const whole = Math.floor(step);
    write("#race-step-output", String(whole));
    for (const name of laneNames) this.#drawLane(name, this.#runners[name] ?? [], whole);
  }

  #drawLane(name: LaneName, runners: readonly Runner[], step: number): void {
    const tiles = document.querySelectorAll<HTMLElement>(`#lane-${name} i`);
    for (const [index, tile] of tiles.entries()) {
      const runner = runners[index];
      const { hasExploded, hasArrived, accuracy } = runner
        ? runnerAt(runner, step)
        : { hasExploded: false, hasArrived: false, accuracy: 0 };
      const state = hasExploded ? "exploded" : hasArrived ? "arrived" : "running";
      const read = accuracy.toFixed(2);
      // Most tiles stay as they are from frame to frame.
      if (tile.dataset.state !== state) tile.dataset.state = state;
      if (tile.style.getPropertyValue("--read") !== read) tile.style.setProperty("--read", read);
    }
    const counts = countsAt(runners, step);
    write(`#lane-${name} [data-count=arrived]`, String(counts.arrived));
    write(`#lane-${name} [data-count=exploded]`, String(counts.exploded));
  }

  #say(text: string): void {
    write("#race-state", text);
  }

  #show(state: State): void {
    this.#state = state;
    document.body.dataset.race = state;
    const isTraining = state === "training";
    this.#watch.run(isTraining && !document.hidden);
    for (const element of [this.#rate, this.#step, this.#play]) element.disabled = isTraining;
    this.#train.disabled = isTraining || this.#train.dataset.ready !== "true";
    this.#cancel.disabled = !isTraining;
  }
}

function write(selector: string, text: string): void {
  const target = document.querySelector(selector);
  if (target && target.textContent !== text) target.textContent = text;
}
