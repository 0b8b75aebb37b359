import { color, written } from "../shared/text.ts";
import type { Path } from "./path.ts";
import { onMap } from "./settings.ts";
import { isInside, type Point, view } from "./surface.ts";

interface Drawn {
  unclipped: Path;
  clipped: Path;
  start: Point;
  step: number;
}

const inset = 14;

/** The paths over the surface, and the start, which can be dragged. */
export class CliffMap {
  readonly #canvas: HTMLCanvasElement;
  readonly #handle: HTMLElement;
  #drawn: Drawn | undefined;

  constructor(canvas: HTMLCanvasElement, handle: HTMLElement, onStart: (start: Point) => void) {
    this.#canvas = canvas;
    this.#handle = handle;
    const frame = canvas.parentElement as HTMLElement;
    const moveTo = ({ clientX, clientY }: MouseEvent) => {
      const { left, top, width, height } = frame.getBoundingClientRect();
      onStart(pointAt((clientX - left) / width, (clientY - top) / height));
    };
    frame.addEventListener("pointerdown", (event) => {
      // A finger beside the start may be about to scroll the page. If it only taps, a click follows.
      if (event.pointerType === "touch" && event.target !== handle) return;
      frame.setPointerCapture(event.pointerId);
      moveTo(event);
      handle.focus({ preventScroll: true });
      event.preventDefault();
    });
    frame.addEventListener("pointermove", (event) => {
      if (frame.hasPointerCapture(event.pointerId)) moveTo(event);
    });
    // A click by keyboard has no place.
    frame.addEventListener("click", (event) => event.detail > 0 && moveTo(event));
    handle.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!move || !this.#drawn) return;
      event.preventDefault();
      const { w, b } = this.#drawn.start;
      const stride = event.shiftKey ? 0.1 : 0.02;
      onStart(onMap({ w: w + stride * (move[0] as number), b: b + stride * (move[1] as number) }));
    });
  }

  draw(drawn: Drawn): void {
    this.#drawn = drawn;
    this.redraw();
  }

  redraw(): void {
    if (!this.#drawn) return;
    const { unclipped, clipped, start, step } = this.#drawn;
    const scale = devicePixelRatio;
    const { clientWidth, clientHeight } = this.#canvas;
    const [width, height] = [Math.round(clientWidth * scale), Math.round(clientHeight * scale)];
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    const context = this.#canvas.getContext("2d") as CanvasRenderingContext2D;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, clientWidth, clientHeight);
    const place = (w: number, b: number): [number, number] => [across(w) * clientWidth, down(b) * clientHeight];
    const red = color("--path-unclipped");
    const blue = color("--path-clipped");
    // The red line is the wider one: where both paths are the same, it shows on both sides of the blue one.
    this.#line(context, unclipped, place, "rgb(255 255 255 / 0.85)", 8.5);
    this.#line(context, clipped, place, "rgb(255 255 255 / 0.85)", 5);
    this.#line(context, unclipped, place, red, 6);
    this.#line(context, clipped, place, blue, 2.5);
    this.#dot(context, place(unclipped.w[step] as number, unclipped.b[step] as number), red);
    this.#dot(context, place(clipped.w[step] as number, clipped.b[step] as number), blue);
    this.#arrow(context, unclipped, clientWidth, clientHeight, red);
    this.#handle.style.left = `${100 * across(start.w)}%`;
    this.#handle.style.top = `${100 * down(start.b)}%`;
    this.#handle.setAttribute("aria-valuetext", `w ${start.w.toFixed(2)}, b ${start.b.toFixed(2)}`);
    this.#handle.setAttribute("aria-valuenow", start.w.toFixed(2));
  }

  #line(
    context: CanvasRenderingContext2D,
    { w, b }: Path,
    place: (w: number, b: number) => number[],
    ink: string,
    width: number,
  ): void {
    context.beginPath();
    w.forEach((value, step) => {
      const [x, y] = place(value, b[step] as number).map((at) => Math.max(-1e5, Math.min(1e5, at)));
      context.lineTo(x as number, y as number);
    });
    context.lineJoin = "round";
    context.strokeStyle = ink;
    context.lineWidth = width;
    context.stroke();
  }

  #dot(context: CanvasRenderingContext2D, [x, y]: [number, number], ink: string): void {
    context.beginPath();
    context.arc(x, y, 5.5, 0, 7);
    context.fillStyle = ink;
    context.strokeStyle = "#fff";
    context.lineWidth = 2;
    context.fill();
    context.stroke();
  }

  /** An arrow at the edge, towards the end of a path that leaves the map. */
  #arrow(context: CanvasRenderingContext2D, path: Path, width: number, height: number, ink: string): void {
    const end = lastOf(path);
    if (isInside(end)) return;
    const [x, y] = [across(end.w) * width, down(end.b) * height];
    const angle = Math.atan2(y - height / 2, x - width / 2);
    const reach = Math.min(
      (width / 2 - inset) / Math.abs(Math.cos(angle)),
      (height / 2 - inset) / Math.abs(Math.sin(angle)),
    );
    const [tipX, tipY] = [width / 2 + reach * Math.cos(angle), height / 2 + reach * Math.sin(angle)];
    context.save();
    context.translate(tipX, tipY);
    context.rotate(angle);
    context.beginPath();
    for (const [alongX, alongY] of [
      [10, 0],
      [-8, -9],
      [-8, 9],
    ] as const)
      context.lineTo(alongX, alongY);
    context.closePath();
    context.fillStyle = ink;
    context.strokeStyle = "#fff";
    context.lineWidth = 4;
    context.stroke();
    context.fill();
    context.restore();

    const label = `thrown to (${written(end.w)}, ${written(end.b)})`;
    context.font = "600 13px system-ui, sans-serif";
    context.textAlign = tipX > width / 2 ? "right" : "left";
    context.textBaseline = "middle";
    const [textX, textY] = [
      Math.min(width - 12, Math.max(12, tipX - 18 * Math.cos(angle))),
      Math.min(height - 16, Math.max(16, tipY - 26 * Math.sin(angle))),
    ];
    context.lineWidth = 4;
    context.strokeStyle = "#fff";
    context.fillStyle = ink;
    context.strokeText(label, textX, textY);
    context.fillText(label, textX, textY);
  }
}

export function lastOf({ w, b }: Path): Point {
  return { w: w.at(-1) as number, b: b.at(-1) as number };
}

function across(w: number): number {
  return (w - view.w[0]) / (view.w[1] - view.w[0]);
}

function down(b: number): number {
  return (view.b[1] - b) / (view.b[1] - view.b[0]);
}

export function pointAt(x: number, y: number): Point {
  return onMap({
    w: view.w[0] + x * (view.w[1] - view.w[0]),
    b: view.b[1] - y * (view.b[1] - view.b[0]),
  });
}
