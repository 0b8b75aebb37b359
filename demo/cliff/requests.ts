import type { Ending } from "./field.ts";
import type { Path } from "./path.ts";
import { type Settings, stepCount } from "./settings.ts";
import type { Answer, Request } from "./worker.ts";

interface Events {
  onPaths(paths: { unclipped: Path; clipped: Path }): void;
  onField(which: "unclipped" | "clipped", field: Ending[]): void;
}

type Subject = "paths" | "unclipped" | "clipped";

/** While one start is shown, the field waits until the settings rest for so long: a drag stays smooth. */
const restOfField = 500;

/** Asks the worker for one thing at a time: for what is shown first, and only for what is not known yet. */
export class Requests {
  readonly #worker: Worker;
  readonly #events: Events;
  /** What each subject was last computed from. */
  readonly #known = new Map<Subject, string>();
  #settings: Settings | undefined;
  #asked: { subject: Subject; key: string } | undefined;
  #quietAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(worker: Worker, events: Events) {
    this.#worker = worker;
    this.#events = events;
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.#receive(data));
  }

  /** Wants everything for these settings. */
  want(settings: Settings): void {
    this.#settings = settings;
    this.#quietAt = performance.now() + restOfField;
    this.#ask();
  }

  #ask(): void {
    if (!this.#settings || this.#asked) return;
    clearTimeout(this.#timer);
    const { starts } = this.#settings;
    const order: Subject[] = starts === "all" ? ["clipped", "unclipped", "paths"] : ["paths", "clipped", "unclipped"];
    const subject = order.find((name) => this.#known.get(name) !== keyOf(name, this.#settings as Settings));
    if (!subject) return;
    const wait = starts === "one" && subject !== "paths" ? this.#quietAt - performance.now() : 0;
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#ask(), wait);
      return;
    }
    this.#asked = { subject, key: keyOf(subject, this.#settings) };
    this.#worker.postMessage(requestOf(subject, this.#settings));
  }

  #receive(answer: Answer): void {
    if ("image" in answer || !this.#asked) return;
    const { subject, key } = this.#asked;
    this.#asked = undefined;
    this.#known.set(subject, key);
    if ("field" in answer) this.#events.onField(subject as "unclipped" | "clipped", answer.field);
    else this.#events.onPaths(answer);
    this.#ask();
  }
}

function requestOf(subject: Subject, { w, b, rate, method, bound }: Settings): Request {
  if (subject === "paths") return { descents: { start: { w, b }, rate, method, bound, steps: stepCount } };
  return { field: { rate, method: subject === "clipped" ? method : "none", bound, steps: stepCount } };
}

/** All that the subject depends on. */
function keyOf(subject: Subject, { w, b, rate, method, bound }: Settings): string {
  return [rate, ...(subject === "unclipped" ? [] : [method, bound]), ...(subject === "paths" ? [w, b] : [])].join(" ");
}
