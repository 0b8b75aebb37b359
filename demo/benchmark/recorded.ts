import type { Results } from "../../bench/benchmark.ts";
import { byId } from "../shared/text.ts";

const files = import.meta.glob<string>(
  ["../../bench/results/**/*.json", "!../../bench/results/cpu*.json", "!../../bench/results/isa*.json"],
  { query: "?url", import: "default", eager: true },
);

/** The run whose plot is in the page's HTML, with all its rows. */
export async function loadRecorded(): Promise<Results> {
  const answer = await fetch(files[`../../bench/results/${byId("plot").dataset.file}`] ?? "");
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return answer.json();
}
