/** A page's functions for its test: the training of both engines. */
import "@tensorflow/tfjs-backend-webgl";
import * as jax from "./jax.ts";
import * as tfjs from "./tfjs.ts";
import * as webgl from "./webgl.ts";

const adapters = { trainOnTfjs: tfjs.trainOn, countSteps: tfjs.countSteps, trainOnJax: jax.trainOn, ...webgl };

declare global {
  var adaptersInPage: typeof adapters | undefined;
}

globalThis.adaptersInPage = adapters;
