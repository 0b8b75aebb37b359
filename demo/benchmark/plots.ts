import type { Results } from "../../bench/benchmark.ts";
import { bandwidthPlot } from "../../bench/plot.ts";
import type { Recordings } from "../../bench/recorded.ts";
import { byId } from "../shared/text.ts";

/** The plot for a wide and for a narrow page, with the recorded machines of the same kind; undefined for too few sizes. */
export function plotsOf(results: Results): Node[] | undefined {
  const recorded: Recordings["others"] = JSON.parse(byId("plot").dataset.others ?? "[]");
  const isSoftware = results.environment.isSoftware === true;
  const others = recorded.filter((machine) => machine.isSoftware === isSoftware);
  const texts = (["wide", "narrow"] as const).map((shape) => bandwidthPlot(results, { shape, others }));
  return texts[0] === undefined ? undefined : texts.map((text) => elementFrom(text as string));
}

function elementFrom(svg: string): Node {
  return document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);
}
