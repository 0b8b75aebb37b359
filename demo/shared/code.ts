/** For the blocks of code, which are in the page's HTML. */
export function addCopyButtons(): void {
  for (const container of document.querySelectorAll<HTMLElement>(".code")) {
    container.append(copyButton(container.textContent?.trim() ?? ""));
  }
}

function copyButton(source: string): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", () => copy(source, button));
  return button;
}

/** Puts text on the clipboard and says so on the button that was pressed. */
export async function copy(text: string, button: HTMLButtonElement): Promise<void> {
  const label = button.textContent;
  let answer = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    answer = "The browser refused";
  }
  button.textContent = answer;
  setTimeout(() => (button.textContent = label), 1500);
}
