// The address mirrors the controls: any situation is a link.

/** The settings after `#` in the address. */
export function readAddress(): URLSearchParams {
  return new URLSearchParams(location.hash.slice(1));
}

export function writeAddress(values: Readonly<Record<string, string | number>>): void {
  const text = Object.entries(values).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  history.replaceState(null, "", `#${text.join("&")}`);
}

/** The other values in the address stay. What is undefined goes. */
export function changeAddress(values: Readonly<Record<string, string | number | undefined>>): void {
  const all = Object.entries({ ...Object.fromEntries(readAddress()), ...values });
  writeAddress(Object.fromEntries(all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))));
}

/** Says in the address what was taken from it: wild values do not stay there, and names that mean nothing go. */
export function tidyAddress(taken: Readonly<Record<string, string | number>>): void {
  const address = readAddress();
  if (address.size > 0) writeAddress(Object.fromEntries(Object.entries(taken).filter(([name]) => address.has(name))));
}

/** A number from the address between these two, or `otherwise` where there is none. */
export function numberIn(
  address: URLSearchParams,
  name: string,
  otherwise: number,
  [least, most]: readonly [number, number],
): number {
  const text = address.get(name);
  const value = Number(text);
  return text && !Number.isNaN(value) ? Math.min(most, Math.max(least, value)) : otherwise;
}

export function nearest(values: readonly number[], wanted: number): number {
  const distance = (value: number) => Math.abs(Math.log(value / Math.max(wanted, Number.MIN_VALUE)));
  return values.reduce((best, value) => (distance(value) < distance(best) ? value : best));
}

/** ?backend=webgpu or ?backend=cpu in the address; "auto" without it. */
export function requestedBackend(): "auto" | "webgpu" | "cpu" {
  const requested = new URLSearchParams(location.search).get("backend");
  return requested === "webgpu" || requested === "cpu" ? requested : "auto";
}
