/** A time as a person says it. A link has six digits of it: those decide, and not the noise behind them. */
export function durationText(exact: number): string {
  const ms = Number(exact.toPrecision(6));
  if (ms < 0.0001) return `${short(ms * 1e6)} ns`;
  if (ms < 0.1) return `${short(ms * 1000)} µs`;
  if (ms < 1000) return `${short(ms)} ms`;
  if (ms < 60_000) return `${short(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Three digits, without a power of ten. */
function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(value >= 10 ? 3 : 2)));
}

/** How long the rest will take at the pace so far. Empty while too little is done to say. */
export function timeToGo(elapsedMs: number, done: number): string {
  if (done < 0.03 || done >= 1 || elapsedMs < 1000) return "";
  const seconds = ((elapsedMs / done) * (1 - done)) / 1000;
  if (seconds < 10) return "a few seconds to go";
  if (seconds < 90) return `about ${10 * Math.round(seconds / 10)} s to go`;
  return `about ${Math.round(seconds / 60)} min to go`;
}
