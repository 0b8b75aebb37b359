// Where the system's locale is POSIX, Chromium's language is "en-US@posix". That is no language tag, and Intl throws at it.
// package.json says that the site's files have side effects; otherwise a build would drop this file.

try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: document.documentElement.lang });
}
