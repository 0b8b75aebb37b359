// Words that a student may not know: dotted, with one plain sentence on hover, focus and touch.

const sentences: Record<string, string> = {
  norm: "The norm is the length of the whole gradient: the root of the sum of all its squares.",
  bound: "The bound is the greatest length that passes unchanged. A longer gradient is shortened to it.",
  scale: "The scale is what the gradient is multiplied by: bound ÷ norm if it is too long, otherwise 1.",
  value: "By value: each number of the gradient is cut to the limit by itself, so the direction can turn.",
};

const margin = 8;

/** Gives every `<dfn data-term>` of the page its sentence. Escape hides it. */
export function explainTerms(): void {
  const tip = document.createElement("p");
  tip.id = "says";
  tip.role = "tooltip";
  tip.hidden = true;
  document.body.append(tip);

  const show = (term: HTMLElement) => {
    tip.textContent = sentences[term.dataset.term ?? ""] ?? "";
    tip.hidden = false;
    const { left, bottom } = term.getBoundingClientRect();
    const most = document.documentElement.clientWidth - tip.offsetWidth - margin;
    tip.style.left = `${Math.max(margin, Math.min(left, most)) + scrollX}px`;
    tip.style.top = `${bottom + scrollY + margin / 2}px`;
  };
  const hide = () => {
    tip.hidden = true;
  };
  for (const term of document.querySelectorAll<HTMLElement>("dfn[data-term]")) {
    term.tabIndex = 0;
    term.setAttribute("aria-describedby", tip.id);
    for (const event of ["pointerenter", "focus"]) term.addEventListener(event, () => show(term));
    for (const event of ["pointerleave", "blur"]) term.addEventListener(event, hide);
  }
  addEventListener("keydown", ({ key }) => key === "Escape" && hide());
}
