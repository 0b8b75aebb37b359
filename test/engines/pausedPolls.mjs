// Imported for its effect: Dawn in Node polls without a pause while anything is pending, and so takes a processor core from
// its own compiler. Here it pauses after every other poll. Not for benchmarks: a pause delays what has just arrived.

import { setImmediate, setTimeout } from "node:timers";

const POLLS_BETWEEN_PAUSES = 2;
const PAUSE_MS = 1;

let polls = 0;

/** Dawn calls the global function, with a native function without a name. @param {Function} callback */
function isPoll(callback) {
  return callback.name === "" && Function.prototype.toString.call(callback).includes("[native code]");
}

/** @param {(...values: any[]) => void} callback @param {any[]} values */
function setImmediateOrSoon(callback, ...values) {
  if (isPoll(callback) && ++polls % POLLS_BETWEEN_PAUSES === 0) return setTimeout(callback, PAUSE_MS);
  return setImmediate(callback, ...values);
}

Object.assign(globalThis, { setImmediate: Object.assign(setImmediateOrSoon, setImmediate) });
