// Safari with WebGPU, on macOS only. Puppeteer does not know it; safaridriver speaks WebDriver.

import { Builder } from "selenium-webdriver";

/** Close the browser with `quit` when done with it. `safaridriver --enable` allows this, once a machine. */
export async function launchSafari() {
  const driver = await new Builder().forBrowser("safari").build();
  await driver.manage().setTimeouts({ script: 600_000 });
  return driver;
}
