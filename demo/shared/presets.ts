/** Marks the preset whose settings are these, and says its sentence below the presets. */
export function markPreset(container: HTMLElement, settings: Readonly<Record<string, string | number>>): void {
  let sentence = "";
  for (const link of container.querySelectorAll("a")) {
    const preset = new URLSearchParams(link.hash.slice(1));
    const isHere = [...preset].every(([name, value]) => String(settings[name]) === value);
    if (isHere) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    if (isHere) sentence = link.dataset.says ?? "";
  }
  const target = container.querySelector("p");
  if (target && target.textContent !== sentence) target.textContent = sentence;
}
