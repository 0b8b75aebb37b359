// CommonJS may require it, in a Node that can require modules.
const { clipByGlobalNorm } = require("gradclip");
const { version } = require("gradclip/package.json");

if (clipByGlobalNorm(1).maxNorm !== 1 || typeof version !== "string") process.exit(1);
