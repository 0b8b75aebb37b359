const side = 8;

/** Eight by eight pixels to draw on, by pointer or by arrow keys and space. */
export class Pad {
  readonly levels = new Float32Array(side * side);
  readonly #canvas: HTMLCanvasElement;
  readonly #onChange: () => void;
  #cursor = { x: 3, y: 3 };

  constructor(canvas: HTMLCanvasElement, onChange: () => void) {
    this.#canvas = canvas;
    this.#onChange = onChange;
    canvas.width = canvas.height = side;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#paintAt(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons === 0) return;
      for (const passed of event.getCoalescedEvents?.() ?? [event]) this.#paintAt(passed);
    });
    canvas.addEventListener("keydown", (event) => this.#press(event));
    canvas.addEventListener("focus", () => this.#draw());
    canvas.addEventListener("blur", () => this.#draw());
    canvas.addEventListener("contextrestored", () => this.#draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  show(levels: ArrayLike<number>): void {
    this.levels.set(levels);
    this.#changed();
  }

  clear(): void {
    this.show(new Float32Array(side * side));
  }

  #paintAt({ clientX, clientY }: PointerEvent): void {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const [x, y] = [((clientX - left) / width) * side, ((clientY - top) / height) * side];
    // A round brush with a soft edge, about as wide as the strokes of the digits.
    for (let pixel = 0; pixel < this.levels.length; pixel++) {
      const distance = Math.hypot((pixel % side) + 0.5 - x, Math.floor(pixel / side) + 0.5 - y);
      this.#ink(pixel, Math.max(0, Math.min(1, 1.4 - distance)));
    }
    this.#changed();
  }

  #press(event: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const step = steps[event.key];
    if (step) {
      const within = (value: number) => Math.max(0, Math.min(side - 1, value));
      this.#cursor = { x: within(this.#cursor.x + step[0]), y: within(this.#cursor.y + step[1]) };
      this.#draw();
    } else if (event.key === " ") {
      this.#ink(this.#cursor.y * side + this.#cursor.x, 1);
      this.#changed();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
  }

  #ink(pixel: number, level: number): void {
    this.levels[pixel] = Math.max(this.levels[pixel] ?? 0, level);
  }

  #changed(): void {
    this.#draw();
    this.#onChange();
  }

  #draw(): void {
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, side, side);
    const style = getComputedStyle(document.documentElement);
    context.fillStyle = style.getPropertyValue("--ink");
    this.levels.forEach((level, pixel) => {
      context.globalAlpha = level;
      context.fillRect(pixel % side, Math.floor(pixel / side), 1, 1);
    });
    if (!this.#canvas.matches(":focus-visible")) return;
    context.globalAlpha = 0.45;
    context.fillStyle = style.getPropertyValue("--clipped");
    context.fillRect(this.#cursor.x, this.#cursor.y, 1, 1);
  }
}
