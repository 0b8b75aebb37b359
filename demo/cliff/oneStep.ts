import { written } from "../shared/text.ts";
import type { MethodName } from "./descent.ts";
import type { Path } from "./path.ts";

type Vector = readonly [number, number];

const namespace = "http://www.w3.org/2000/svg";
const radius = 150;
const decades = { least: -4, most: 5 };
const duration = 4200;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** One step of the clipped descent as vectors. Lengths are logarithmic: before and after would not fit in one picture. */
export class OneStep {
  readonly #before: SVGElement;
  readonly #after: SVGElement;
  readonly #limit: SVGElement;
  readonly #sentences: HTMLElement[];
  #vectors: { before: Vector; after: Vector } = { before: [0, 0], after: [0, 0] };
  #animation = 0;

  constructor(svg: SVGSVGElement, sentences: HTMLElement) {
    svg.setAttribute("viewBox", "-170 -170 340 340");
    this.#limit = add(svg, "path", { class: "limit" });
    for (let power = decades.least + 1; power <= decades.most; power += 2) {
      const r = lengthOnPaper(10 ** power);
      add(svg, "circle", { class: "ring", r });
      add(svg, "text", { class: "ring-label", x: 3, y: -r - 3 }).textContent =
        power > 2 || power < -1 ? `1e${power}` : `${10 ** power}`;
    }
    this.#before = add(svg, "path", { class: "before" });
    this.#after = add(svg, "path", { class: "after" });
    this.#sentences = [...sentences.children] as HTMLElement[];
  }

  show({ before, after, w, b }: Path, step: number, method: MethodName, bound: number, rate: number): void {
    cancelAnimationFrame(this.#animation);
    const pair = (values: Float32Array): Vector => [values[2 * step] as number, values[2 * step + 1] as number];
    this.#vectors = { before: pair(before), after: pair(after) };
    this.#limit.setAttribute("d", limitShape(method, bound));
    const sentences = inWords(this.#vectors, method, bound, rate, { w: w[step] as number, b: b[step] as number });
    this.#sentences.forEach((element, index) => {
      element.textContent = sentences[index] ?? "";
    });
    this.#draw(1);
  }

  play(): void {
    cancelAnimationFrame(this.#animation);
    if (reducedMotion.matches) {
      this.#draw(1);
      return;
    }
    const start = performance.now();
    const frame = (now: number) => {
      const progress = Math.min(1, (now - start) / duration);
      this.#draw(progress);
      if (progress < 1) this.#animation = requestAnimationFrame(frame);
    };
    this.#animation = requestAnimationFrame(frame);
  }

  /** Draws four phases of equal length: the gradient grows, is measured, is clipped, and the step is taken. */
  #draw(progress: number): void {
    const { before, after } = this.#vectors;
    const grown = Math.min(1, progress * 4);
    const clipped = Math.min(1, Math.max(0, progress * 4 - 2));
    this.#before.setAttribute("d", arrow(before, grown));
    this.#after.setAttribute("d", progress < 0.5 ? "" : between(before, after, clipped));
    const current = Math.min(3, Math.floor(progress * 4));
    this.#sentences.forEach((element, index) => {
      element.classList.toggle("current", progress < 1 && index === current);
    });
  }
}

function inWords(
  { before, after }: { before: Vector; after: Vector },
  method: MethodName,
  bound: number,
  rate: number,
  at: { w: number; b: number },
): string[] {
  const [norm, length] = [Math.hypot(...before), Math.hypot(...after)];
  const taken = rate * length;
  const unclipped = rate * norm;
  const angle = Math.abs(angleBetween(before, after));
  const found =
    method === "norm"
      ? norm > bound
        ? `That is above the bound ${written(bound)}: both values are multiplied by ${written(bound)} ÷ ${written(norm)} = ${written(length / norm)}. The direction stays.`
        : `That is at or under the bound ${written(bound)}: not one byte changes.`
      : method === "value"
        ? `Each value is cut to ±${written(bound)} by itself. The direction turns by ${Math.round(angle)}°.`
        : "Nothing is clipped.";
  return [
    `At w = ${at.w.toFixed(2)}, b = ${at.b.toFixed(2)} the gradient is (${before.map(written).join(", ")}).`,
    `Its norm is ${written(norm)}.`,
    found,
    length === norm
      ? `The step is ${written(taken)} long.`
      : `The step is ${written(taken)} long. It would have been ${written(unclipped)}.`,
  ];
}

export function angleBetween([x1, y1]: Vector, [x2, y2]: Vector): number {
  return (Math.atan2(x1 * y2 - y1 * x2, x1 * x2 + y1 * y2) * 180) / Math.PI;
}

function lengthOnPaper(length: number): number {
  const { least, most } = decades;
  const height = (Math.log10(Math.max(length, 1e-30)) - least) / (most - least);
  return radius * Math.min(1.08, Math.max(0, height));
}

/** The place of a vector's tip on paper; w to the right, b upwards. */
function tipOf([byW, byB]: Vector): Vector {
  const length = Math.hypot(byW, byB);
  const onPaper = lengthOnPaper(length);
  return length > 0 ? [(byW / length) * onPaper, (-byB / length) * onPaper] : [0, 0];
}

function arrow(vector: Vector, share: number): string {
  const [x, y] = tipOf(vector);
  return arrowTo([x * share, y * share]);
}

function between(from: Vector, to: Vector, share: number): string {
  const [[x1, y1], [x2, y2]] = [tipOf(from), tipOf(to)];
  return arrowTo([x1 + (x2 - x1) * share, y1 + (y2 - y1) * share]);
}

function arrowTo([x, y]: Vector): string {
  const length = Math.hypot(x, y);
  if (length < 1) return "";
  const [alongX, alongY] = [x / length, y / length];
  const barb = Math.min(9, length / 2);
  const side = (sign: number) =>
    `${x - barb * alongX - sign * barb * 0.6 * alongY} ${y - barb * alongY + sign * barb * 0.6 * alongX}`;
  return `M0 0L${x} ${y}M${side(1)}L${x} ${y}L${side(-1)}`;
}

/** The outline of all vectors that the method does not clip: a circle for a norm, a square for values, bent by the logarithm. */
function limitShape(method: MethodName, bound: number): string {
  if (method === "none") return "";
  const points = Array.from({ length: 181 }, (_, index) => {
    const angle = (index * Math.PI) / 90;
    const [x, y] = [Math.cos(angle), Math.sin(angle)];
    const reach = method === "norm" ? bound : bound / Math.max(Math.abs(x), Math.abs(y));
    return tipOf([reach * x, reach * y])
      .map((at) => at.toFixed(1))
      .join(" ");
  });
  return `M${points.join("L")}Z`;
}

function add(parent: SVGElement, name: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  parent.append(element);
  return element;
}
