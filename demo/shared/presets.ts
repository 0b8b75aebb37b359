/** Marks the preset that the address has, and says its sentence below the presets. Two addresses are the same if their settings are. */
export function markPreset(container: HTMLElement): void {
  const here = settingsOf(location.hash);
  let sentence = "";
  for (const link of container.querySelectorAll("a")) {
    const isHere = [...settingsOf(link.hash)].every(([name, value]) => here.get(name) === value);
    if (isHere) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    if (isHere) sentence = link.dataset.says ?? "";
  }
  const target = container.querySelector("p");
  if (target && target.textContent !== sentence) target.textContent = sentence;
}

function settingsOf(hash: string): URLSearchParams {
  return new URLSearchParams(hash.slice(1));
}
