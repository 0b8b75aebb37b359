/** The largest absolute value of any number of values; NaN where there is one. `Math.max(...values)` fills the stack. */
export function largest(values: Iterable<number>): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}
