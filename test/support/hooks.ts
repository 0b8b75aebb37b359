/** Runs anew for each file, which the modules that the files share do not. */
import { afterEach, beforeAll } from "vitest";
import { bench, openBench } from "./bench.ts";

beforeAll(() => openBench());
afterEach(() => bench.tidy());
