/** Nothing is downloaded at install: the tests use an installed Chrome or Chromium, or the packaged one. */
module.exports = { skipDownload: true };
