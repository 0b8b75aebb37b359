/** A page's functions for its test: the training of both engines. */
import "@tensorflow/tfjs-backend-webgl";
import * as jax from "./jax.ts";
import * as tfjs from "./tfjs.ts";

const adapters = { trainOnTfjs: tfjs.trainOn, countSteps: tfjs.countSteps, trainOnJax: jax.trainOn };

declare global {
  var adaptersInPage: typeof adapters | undefined;
}

globalThis.adaptersInPage = adapters;
