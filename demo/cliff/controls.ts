import { byId, written } from "../shared/text.ts";
import { boundExponents, rates, roundBound, type Settings, settingsFromAddress, stepCount } from "./settings.ts";

/** Keeps the native inputs and the settings equal. */
export class Controls {
  readonly #form = byId<HTMLFormElement>("controls");
  readonly #bound = byId<HTMLInputElement>("bound");
  readonly #rate = byId<HTMLSelectElement>("rate");
  readonly #step = byId<HTMLInputElement>("step");

  constructor(onChange: (settings: Partial<Settings>) => void) {
    Object.assign(this.#bound, { min: boundExponents.least, max: boundExponents.most, step: 0.05 });
    this.#step.max = String(stepCount);
    for (const rate of rates) this.#rate.add(new Option(String(rate)));
    this.#bound.addEventListener("input", () => onChange({ bound: roundBound(10 ** this.#bound.valueAsNumber) }));
    this.#rate.addEventListener("change", () => onChange({ rate: Number(this.#rate.value) }));
    this.#step.addEventListener("input", () => onChange({ step: this.#step.valueAsNumber }));
    this.#form.addEventListener("change", (event) => {
      const { name, value } = event.target as HTMLInputElement;
      if (name === "method") onChange({ method: value as Settings["method"] });
    });
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    for (const radio of document.querySelectorAll<HTMLInputElement>("[name=starts]")) {
      radio.addEventListener("change", () => onChange({ starts: radio.value as Settings["starts"] }));
    }
    addEventListener("hashchange", () => onChange(settingsFromAddress()));
  }

  show({ bound, rate, step, method, starts }: Settings): void {
    this.#bound.valueAsNumber = Math.log10(bound);
    this.#bound.setAttribute("aria-valuetext", written(bound));
    byId<HTMLOutputElement>("bound-output").value = written(bound);
    this.#rate.value = String(rate);
    this.#step.valueAsNumber = step;
    byId<HTMLOutputElement>("step-output").value = String(step);
    for (const choice of [`[name=method][value=${method}]`, `[name=starts][value=${starts}]`]) {
      const radio = document.querySelector<HTMLInputElement>(choice);
      if (radio) radio.checked = true;
    }
  }
}
