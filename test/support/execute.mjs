import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { repository } from "../engines/packaged.mjs";

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
    shell: process.platform === "win32",
  });
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
    const hanging = setTimeout(() => {
      child.kill();
      // What the command has started may hold its output open: it is not waited for.
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ code: null, output, errors: `${errors}Ended after ${patience / 1000} s, the limit.\n` });
    }, patience);
    /** @param {number | null} code */
    const end = (code) => {
      clearTimeout(hanging);
      resolve({ code, output, errors });
    };
    child.on("error", (error) => {
      errors += error;
      end(null);
    });
    child.on("close", end);
  });
}
