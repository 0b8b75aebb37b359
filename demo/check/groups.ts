import type { Result } from "./report.ts";

/** The cases by file: one fold for each, open if a case failed. */
export class Groups {
  readonly #container: HTMLElement;
  readonly #groups = new Map<string, Result[]>();
  readonly #folds = new Map<string, { fold: HTMLDetailsElement; count: HTMLElement; list: HTMLElement }>();

  constructor(container: HTMLElement) {
    this.#container = container;
  }

  clear(): void {
    this.#groups.clear();
    this.#folds.clear();
    this.#container.replaceChildren();
  }

  add(result: Result): void {
    const [group = "", ...rest] = result.name.split(": ");
    const results = this.#groups.get(group) ?? [];
    results.push({ ...result, name: rest.join(": ") });
    this.#groups.set(group, results);
  }

  draw(): void {
    for (const [group, results] of this.#groups) {
      const { fold, count, list } = this.#folds.get(group) ?? this.#makeFold(group);
      const failed = results.filter(({ error }) => error !== undefined).length;
      count.textContent = failed > 0 ? `${failed} of ${results.length} failed` : `${results.length} passed`;
      fold.className = failed > 0 ? "failed" : "passed";
      if (failed > 0) fold.open = true;
      for (const { name, error } of results.slice(list.childElementCount)) {
        const line = document.createElement("li");
        line.textContent = error === undefined ? name : `${name}: ${error}`;
        if (error !== undefined) line.className = "failed";
        list.append(line);
      }
    }
  }

  #makeFold(group: string) {
    const fold = document.createElement("details");
    const summary = document.createElement("summary");
    const [count, list] = [document.createElement("span"), document.createElement("ul")];
    summary.append(group, count);
    fold.append(summary, list);
    this.#container.append(fold);
    const made = { fold, count, list };
    this.#folds.set(group, made);
    return made;
  }
}
