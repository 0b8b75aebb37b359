/** "1 element", "2 elements": for a noun that takes an s. */
export function amount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
