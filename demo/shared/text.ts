/** A number as the pages show it: three digits, or a power of ten if that would be long. */
export function written(value: number | null | undefined): string {
  if (value === undefined || value === null) return "–";
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)) return power(value);
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** A true minus: a line may break after a hyphen, in the middle of the number. */
function power(value: number): string {
  return value.toExponential(1).replace("e+", "e").replaceAll("-", "−");
}

export function color(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property);
}

export function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element "${id}".`);
  return found as T;
}
