import { type EnsembleReport, ensembleMethods, rates } from "./ensembleReport.ts";

/** An accuracy that is far better than guessing after so few steps. */
const learned = 0.5;

/** One cell for each network. It fills while the network learns, and is struck out when it has exploded. */
export class Cells {
  readonly #cells: HTMLElement[][] = [];
  readonly #summaries: HTMLElement[] = [];

  constructor(container: HTMLElement, seeds: number) {
    const titles = { none: "Not clipped", value: "By value", norm: "By norm" };
    const classes = { none: "unclipped", value: "value", norm: "clipped" };
    for (const method of ensembleMethods) {
      const panel = element("div", classes[method]);
      const title = element("h3", "");
      title.textContent = titles[method];
      const columns = element("div", "columns");
      const cells = Array.from({ length: rates.length * seeds }, () => element("i", ""));
      // Columns are rates: the members come rate by rate.
      for (let seed = 0; seed < seeds; seed++) {
        columns.append(...rates.map((_, rate) => cells[rate * seeds + seed] as HTMLElement));
      }
      for (const rate of rates) {
        const label = element("span", "");
        label.textContent = String(rate);
        columns.append(label);
      }
      const summary = element("p", "summary");
      panel.append(title, columns, summary);
      container.append(panel);
      this.#cells.push(cells);
      this.#summaries.push(summary);
    }
  }

  clear(): void {
    for (const cell of this.#cells.flat()) delete cell.dataset.level;
    for (const summary of this.#summaries) summary.textContent = "";
  }

  draw({ cells }: EnsembleReport): void {
    cells.forEach((states, method) => {
      states.forEach(({ accuracy, explodedAt }, member) => {
        const cell = this.#cells[method]?.[member];
        if (cell) cell.dataset.level = explodedAt ? "exploded" : levelOf(accuracy ?? 0);
      });
      const exploded = states.filter(({ explodedAt }) => explodedAt !== undefined).length;
      const arrived = states.filter((state) => !state.explodedAt && (state.accuracy ?? 0) >= learned).length;
      const summary = this.#summaries[method];
      if (summary)
        summary.textContent = `${exploded} of ${states.length} exploded, ${arrived} read half of the digits or more`;
    });
  }
}

function levelOf(accuracy: number): string {
  return String([0.2, 0.35, learned].filter((least) => accuracy >= least).length);
}

function element(name: string, className: string): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  return made;
}
