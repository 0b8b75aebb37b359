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

/** The page's policy lets no other text be parsed. */
const trusted = globalThis.trustedTypes?.createPolicy("plot", { createHTML: (svg) => svg });

function elementFrom(svg: string): Node {
  const text = trusted?.createHTML(svg) ?? svg;
  return document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
}
