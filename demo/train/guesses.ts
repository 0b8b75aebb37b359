import type { Digits } from "../../bench/training/digits.ts";
import { type Histories, type RunName, runNames } from "./history.ts";

const shown = 12;
const side = 8;

/** A table of held-out digits with each network's answer below. */
export class Guesses {
  readonly #cells: Record<RunName, HTMLTableCellElement[]>;
  readonly #labels: number[];
  readonly #chosenHeading: HTMLElement;

  constructor(table: HTMLTableElement, digits: Digits) {
    this.#labels = [...digits.heldOutLabels().subarray(0, shown)];
    const images = row(table, "", shown);
    for (const [index, cell] of images.entries()) {
      cell.append(picture(digits.heldOutImage(index), this.#labels[index] ?? 0));
    }
    const headingOf = (cells: HTMLTableCellElement[]) => cells[0]?.parentElement?.firstElementChild as HTMLElement;
    this.#cells = {
      none: row(table, "not clipped", shown),
      value: row(table, "by value", shown),
      chosen: row(table, "by norm", shown),
    };
    this.#chosenHeading = headingOf(this.#cells.chosen);
  }

  draw(histories: Histories, chosenName: string): void {
    this.#chosenHeading.textContent = chosenName;
    for (const name of runNames) {
      const { guesses, explodedAt } = histories[name];
      this.#cells[name].forEach((cell, index) => {
        const guess = explodedAt ? undefined : guesses?.[index];
        cell.textContent = guess?.toString() ?? "–";
        cell.className = guess === undefined ? "none" : guess === this.#labels[index] ? "right" : "wrong";
      });
    }
  }
}

function row(table: HTMLTableElement, heading: string, length: number): HTMLTableCellElement[] {
  const line = table.insertRow();
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = heading;
  line.append(head);
  return Array.from({ length }, () => line.insertCell());
}

function picture(levels: Float32Array, label: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `a handwritten ${label}`);
  const image = new ImageData(side, side);
  for (const [pixel, level] of levels.entries()) image.data.set([128, 128, 128, Math.round(255 * level)], pixel * 4);
  const draw = () => canvas.getContext("2d")?.putImageData(image, 0, 0);
  canvas.addEventListener("contextrestored", draw);
  draw();
  return canvas;
}
