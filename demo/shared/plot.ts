// uPlot makes a number format of the browser's language as it loads, so that the language comes first.

import "./language.ts";
import "uplot/dist/uPlot.min.css";

export { default as uPlot } from "uplot";
