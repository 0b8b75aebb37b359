import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { setTimeout as waited } from "node:timers/promises";
import { limit } from "../engines/limits.mjs";
import { repository } from "../engines/packaged.mjs";

const isWindows = process.platform === "win32";

/** What runs now. @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/**
 * Ends a command with all that it has started: elsewhere than on Windows each leads a group of processes.
 * @param {import("node:child_process").ChildProcess} child @param {NodeJS.Signals} signal
 */
function end(child, signal) {
  try {
    if (isWindows) child.kill(signal);
    else process.kill(-Number(child.pid), signal);
  } catch {
    // All of them have ended.
  }
}

/** Ends every command: a group of its own gets no signal of the terminal. */
export function endAll() {
  for (const child of running) end(child, "SIGTERM");
}

/**
 * @param {string[]} command
 * @param {{ isShown: boolean, isBuilt: boolean, patience: number }} options isShown: at once; isBuilt: dist is what the sources make; patience: in
 *   milliseconds, after which the command is ended
 * @returns {Promise<{ code: number | null, output: string, errors: string }>}
 */
export function execute([program = "", ...rest], { isShown, isBuilt, patience }) {
  const PATH = [join(repository, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  const child = spawn(program, rest, {
    cwd: repository,
    env: { ...process.env, PATH, NO_COLOR: "1", FORCE_COLOR: undefined, ...(isBuilt && { GRADCLIP_BUILT: "1" }) },
    stdio: ["ignore", "pipe", isShown ? "inherit" : "pipe"],
    shell: isWindows,
    detached: !isWindows,
  });
  running.add(child);
  let output = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
    if (isShown) process.stdout.write(chunk);
  });
  let errors = "";
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve) => {
    let isLate = false;
    /** @param {number | null} code */
    const finish = (code) => {
      clearTimeout(hanging);
      running.delete(child);
      resolve({ code, output, errors });
    };
    const hanging = setTimeout(async () => {
      isLate = true;
      // Who has started a browser closes it at this signal: a browser leads a group of its own.
      end(child, "SIGTERM");
      await waited(limit(1));
      end(child, "SIGKILL");
      // What has left the group may hold the output open: it is not waited for.
      child.stdout?.destroy();
      child.stderr?.destroy();
      errors += `Ended after ${patience / 1000} s, the limit.\n`;
      finish(null);
    }, patience);
    child.on("error", (error) => {
      errors += error;
      finish(null);
    });
    child.on("close", (code) => {
      // The command has ended then, but maybe not all that it has started.
      if (!isLate) finish(code);
    });
  });
}
