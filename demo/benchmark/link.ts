// Results in a link: packed into the part of the address that no server sees.

import type { Results } from "../../bench/benchmark.ts";
import { figuresOf } from "../../bench/figures.ts";
import { spreadOf } from "../../bench/statistics.ts";
import type { Row } from "../../bench/types.ts";

const START = "#results=";

/** The link has medians; the file has every sample. */
export async function linkTo(results: Results): Promise<string> {
  const { environment, preset, seed, workloads, rows, stopped } = results;
  const slim = { environment, preset, seed, workloads: workloads.map(withoutCounts), rows: rows.map(slimRow), stopped };
  const packed = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(JSON.stringify(slim)));
  const text = btoa(String.fromCharCode(...packed))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
  return `${location.origin}${location.pathname}${START}${text}`;

  function slimRow({ workload, contestant, work, against, bytes, verdict, error, reason, ...row }: Row) {
    const figures = figuresOf({ ...row, workload, contestant, work, against, bytes, verdict }, rows);
    const throughput = figures && {
      steps: 1,
      clock: [rounded(row.throughput?.clock)],
      // Where one sample of the timestamps is 0, the page shows the clock's times, and their median alone would not say so.
      ...(figures.timer === "timestamps" && { gpu: [rounded(row.throughput?.gpu)] }),
    };
    const latency = figures?.latency && { steps: 1, clock: [rounded(row.latency?.clock)] };
    return { workload, contestant, work, against, bytes, verdict, error, reason, throughput, latency };
  }
}

function withoutCounts({ name, dtype, isArena, tensors, elements }: Results["workloads"][number]) {
  return { name, dtype, isArena, tensors, elements };
}

/** The median, in as many digits as a clock has. */
function rounded(values: readonly number[] = [0]): number {
  return Number(spreadOf(values).median.toPrecision(6));
}

/** The results of a link; undefined without any. Throws where they cannot be read. */
export async function resultsFrom(hash: string): Promise<Results | undefined> {
  if (!hash.startsWith(START)) return undefined;
  const text = atob(hash.slice(START.length).replaceAll("-", "+").replaceAll("_", "/"));
  const packed = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const bytes = await through(new DecompressionStream("deflate-raw"), packed);
  return checked(JSON.parse(new TextDecoder().decode(bytes)));
}

async function through(stream: CompressionStream | DecompressionStream, bytes: Uint8Array<ArrayBuffer>) {
  const packed = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** Anybody can write a link: only text and numbers are taken from it. */
function checked(given: Partial<Results>): Results {
  const text = (value: unknown) => (value === undefined ? undefined : String(value));
  const number = (value: unknown) => (Number.isFinite(value) ? (value as number) : 0);
  const timing = (value: Row["throughput"]) =>
    value && { steps: 1, clock: [number(value.clock[0])], ...(value.gpu && { gpu: [number(value.gpu[0])] }) };
  const { environment, workloads = [], rows = [], stopped } = given;
  if (!environment || workloads.length === 0 || rows.length === 0) throw new Error("The link has no results.");
  return {
    environment: {
      engine: String(environment.engine),
      agent: String(environment.agent),
      adapter: String(environment.adapter),
      isSoftware: environment.isSoftware === true,
      features: [],
      limits: {},
      clockQuantumNs: number(environment.clockQuantumNs),
    },
    preset: "page",
    seed: 1,
    workloads: workloads.map(({ name, dtype, isArena, tensors, elements }) => ({
      name: String(name),
      dtype: dtype === "f16" ? "f16" : "f32",
      isArena: isArena === true,
      tensors: number(tensors),
      elements: number(elements),
    })),
    rows: rows.map((row) => ({
      workload: String(row.workload),
      contestant: String(row.contestant),
      work: row.work,
      against: text(row.against),
      bytes: number(row.bytes),
      verdict: row.verdict === "right" || row.verdict === "wrong" ? row.verdict : "failed",
      error: row.error === undefined ? undefined : number(row.error),
      reason: text(row.reason),
      throughput: timing(row.throughput),
      latency: timing(row.latency),
    })),
    hostCosts: [],
    stopped: text(stopped),
    absent: [],
  };
}
