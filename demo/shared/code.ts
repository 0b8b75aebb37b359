/** Shows `source` (or what the page already holds) as a block of code with a copy button. */
export function showCode(container: HTMLElement, source = container.textContent?.trim() ?? ""): void {
  const code = document.createElement("code");
  code.textContent = source;
  const block = document.createElement("pre");
  // A block that scrolls must be reachable by keyboard.
  block.tabIndex = 0;
  block.append(code);
  container.classList.add("code");
  container.replaceChildren(block, copyButton(source));
}

/** For blocks of code that are in the page's HTML. */
export function addCopyButtons(): void {
  for (const container of document.querySelectorAll<HTMLElement>(".code")) {
    if (!container.querySelector("button")) container.append(copyButton(container.textContent?.trim() ?? ""));
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
