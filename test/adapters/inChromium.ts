/** For a file of tests: a page in Chromium that has both engines, and WebGL 2. */
import type { Browser, Page } from "puppeteer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium } from "../engines/chromium.mjs";
import { isSoftware } from "../engines/packaged.mjs";
import { newPage } from "../pages/visit.ts";
import { BARE_PAGE, type Places, served } from "../support/places.ts";
import type { Task } from "./webgl.ts";

type Adapters = NonNullable<typeof globalThis.adaptersInPage>;

/** @param name of the folder that is served. */
export function adaptersIn(name: string) {
  let browser: Browser;
  let server: Places;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    server = await served(name, "adapters/page.ts", { "index.html": BARE_PAGE });
    // WebGL without a GPU has to be asked for.
    browser = await launchChromium({
      args: isSoftware ? ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"] : [],
    });
    page = await open();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  /** Another page, in which TensorFlow.js has not begun yet. */
  async function open(): Promise<Page> {
    const opened = await newPage(browser);
    opened.on("pageerror", (error) => errors.push(String(error)));
    opened.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    await opened.goto(server.url);
    await opened.waitForFunction(() => globalThis.adaptersInPage !== undefined);
    return opened;
  }

  async function clip(task: Task, on = page): ReturnType<Adapters["clipOnWebGL"]> {
    const result = await on.evaluate((task) => (globalThis.adaptersInPage as Adapters).clipOnWebGL(task), task);
    // As many gradients as were given: a test may look at each of them in a loop.
    if (!task.names) expect(result.steps.map(({ length }) => length)).toEqual(task.steps.map(({ length }) => length));
    return result;
  }

  return {
    get page() {
      return page;
    },
    open,
    clip,
    /** At the end of the file. */
    expectNoComplaints: () =>
      test("nothing was complained about", () => {
        expect(errors).toEqual([]);
      }),
  };
}

export const bitsOf = (values: Float32Array) => [...new Uint32Array(values.slice().buffer)];
export const floatsOf = (bits: number[] | undefined) => [...new Float32Array(new Uint32Array(bits ?? []).buffer)];
export const stepOf = (arrays: readonly Float32Array[], shapes: readonly number[][]) =>
  arrays.map((array, i) => ({ bits: bitsOf(array), shape: shapes[i] as number[] }));
