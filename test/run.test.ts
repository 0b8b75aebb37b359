/** .ci/run and the checks that it runs, where something goes wrong. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownFolder, repository } from "./engines/packaged.mjs";

describe("the last line of .ci/run has the counts", () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "gradclip-ci-"));
    for (const part of [".ci", "bin"]) mkdirSync(join(folder, part));
    copyFileSync(join(repository, ".ci/run"), join(folder, ".ci/run"));
    // Everything is installed.
    writeFileSync(join(folder, "bin/apt-get"), "#!/bin/sh\n", { mode: 0o755 });
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  /** @param commands of the shell, for `npm ci` and for `npm test` */
  function outcomeOf(commands: { ci?: string; test?: string }) {
    const lines = Object.entries(commands).map(([name, command]) => `if [ "$1" = ${name} ]; then ${command}; fi`);
    writeFileSync(join(folder, "bin/npm"), ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
    const PATH = [join(folder, "bin"), process.env.PATH].join(delimiter);
    const { status, stdout } = spawnSync("bash", [join(folder, ".ci/run")], {
      env: { ...process.env, PATH },
      encoding: "utf8",
    });
    return [status, stdout.trimEnd().split("\n").at(-1)];
  }

  test.each([
    ["all passed", { test: 'echo "7 passed, 0 failed"' }, [0, "7 passed, 0 failed"]],
    ["one failed", { test: 'echo "6 passed, 1 failed"; exit 1' }, [1, "6 passed, 1 failed"]],
    ["nothing is installed", { ci: "exit 1" }, [1, "0 passed, 1 failed"]],
    ["the checks throw", { test: 'echo "7 passed, 0 failed"; echo Error; exit 1' }, [1, "0 passed, 1 failed"]],
    ["the checks are killed", { test: "kill -9 $$" }, [1, "0 passed, 1 failed"]],
    ["the checks say nothing", { test: "true" }, [1, "0 passed, 1 failed"]],
  ])("where %s", (_, commands, outcome) => {
    expect(outcomeOf(commands)).toEqual(outcome);
  });
});

/** @param then what a process does that has a folder of its own. @returns the folder, and which signal has ended the process. */
function folderOfAnother(then = "") {
  const packaged = new URL("./engines/packaged.mjs", import.meta.url).href;
  const script = `import { ownFolder } from "${packaged}"; console.log(ownFolder("run")); ${then}`;
  const { stdout, signal } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(stdout).toMatch(/run-/);
  return { folder: stdout.trim(), signal };
}

test("two processes have folders of their own, which go with them", () => {
  const here = ownFolder("run");
  const { folder } = folderOfAnother();
  expect(folder).not.toBe(here);
  expect([existsSync(here), existsSync(folder)]).toEqual([true, false]);
});

test.runIf(process.platform !== "win32").each(["SIGINT", "SIGTERM", "SIGHUP"])(
  "a process that %s ends leaves no folder",
  (name) => {
    const { folder, signal } = folderOfAnother(`process.kill(process.pid, "${name}"); setInterval(() => {}, 1000);`);
    expect([existsSync(folder), signal]).toEqual([false, name]);
  },
);
