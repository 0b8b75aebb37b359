/** What waits in the checks waits as long as test/engines/limits.mjs says. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { limit, testLimit, waitLimit } from "./engines/limits.mjs";
import { execute } from "./support/execute.mjs";

test("the limits grow with the slowness that was measured before the tests began", () => {
  const slowness = Number(process.env.GRADCLIP_SLOWNESS);
  expect(slowness).toBeGreaterThanOrEqual(1);
  expect(limit(10)).toBe(Math.ceil(30_000 * slowness));
  // A wait ends before its test does, and says what it waited for.
  expect(testLimit).toBeGreaterThan(3 * waitLimit);
});

test("no test has a limit of its own", () => {
  const files = readdirSync("test", { recursive: true, encoding: "utf8" }).filter((file) => /\.(ts|mjs)$/.test(file));
  const own = files.filter((file) =>
    /\b(timeout|(test|hook)Timeout): [1-9]|setDefaultTimeout\(\d|^\s*\}, [1-9][\d_]+\);/m.test(
      readFileSync(join("test", file), "utf8"),
    ),
  );
  expect(files.length).toBeGreaterThan(150);
  expect(own.filter((file) => !file.startsWith("mutants"))).toEqual([]);
});

/** Whether a process is there. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a step that hangs ends at its limit and says so, with the processes that it started", async () => {
  const deaf = 'process.on("SIGTERM", () => {}); console.log(process.pid); setInterval(() => {}, 1000);';
  const script = `
    require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(deaf)}], { stdio: "inherit" });
    setInterval(() => {}, 1000);`;
  const options = { isShown: false, isBuilt: false, patience: limit(2) };
  const { code, output, errors } = await execute([process.execPath, "-e", script], options);
  expect(code).toBe(null);
  expect(errors).toBe(`Ended after ${limit(2) / 1000} s, the limit.\n`);
  expect(Number(output)).toBeGreaterThan(0);
  await expect.poll(() => isRunning(Number(output))).toBe(false);
});
