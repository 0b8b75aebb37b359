// Puts the race's words and tiles into the page when Vite serves or builds it, so that the first paint has them.

import { readFileSync } from "node:fs";
import type { Plugin } from "vite";
import { doubtsOn, headlineOf, type LaneName, lanesAt } from "../../bench/experiment/race.ts";
import type { Summary } from "../../bench/experiment/summary.ts";

const recorded = new URL("../../docs/experiment.json", import.meta.url);

/** Fills in `<!-- race headline -->`, `<!-- race lanes -->`, `<!-- race by value -->` and `<!-- race doubts -->`. */
export function raceHtml(): Plugin {
  return {
    name: "race-html",
    transformIndexHtml: {
      order: "pre",
      handler(html) {
        if (!html.includes("<!-- race lanes -->")) return html;
        const summary = JSON.parse(readFileSync(recorded, "utf8")) as Summary;
        const { clipped, unclipped } = headlineOf(summary);
        const lane = laneOf(summary);
        return html
          .replace("<!-- race headline -->", `<h1><em>${clipped}</em> ${unclipped}</h1>`)
          .replace("<!-- race lanes -->", [lane("none"), lane("best"), lane("norm")].join("\n"))
          .replace("<!-- race by value -->", lane("value"))
          .replace('id="race-rate"', `$& data-rates="${summary.configuration.learningRates.join(" ")}"`)
          .replace("<!-- race doubts -->", doubtsOn(summary));
      },
    },
  };
}

const classes: Record<LaneName, string> = { none: "unclipped", best: "unclipped", norm: "clipped", value: "value" };

function laneOf(summary: Summary): (name: LaneName) => string {
  const { bounds, seeds } = summary.configuration;
  const titles: Record<LaneName, string> = {
    none: "Not clipped",
    best: "Not clipped, at its best rate",
    norm: `Clipped to a norm of ${bounds.norm}`,
    value: `Clipped by value, to ±${bounds.value}, at its best rate`,
  };
  const lanes = lanesAt(summary, summary.findings.norm.bestRate);
  return (name) => `<div class="lane ${classes[name]}" id="lane-${name}">
          <h3>${titles[name]} <span>rate <output>${lanes[name].learningRate}</output></span></h3>
          <p class="counter"><b data-count="arrived">0</b> of ${seeds.length} read 70 % <b data-count="exploded">0</b> exploded</p>
          <div class="tiles" aria-hidden="true">${"<i></i>".repeat(seeds.length)}</div>
        </div>`;
}
