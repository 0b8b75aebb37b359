import { expect, test } from "vitest";
import { kernelTexts } from "../bench/isa/kernels.ts";
import { loopsOf } from "../bench/isa/loops.mjs";
import { shaderFiles } from "../vite.config.ts";

const INSTRUCTIONS = `
BB0:
	s_load_b128 s[0:3], s[4:5], null                            ; f4004002 f8000000
BB1:
	buffer_load_b128 v[0:3], v4, s[0:3], 0 offen                ; e05c0000 80400004
	s_cbranch_scc1 BB1                                          ; bfa20000
BB2:
	s_add_u32 s0, s0, 1                                         ; 80008100
BB3:
	s_load_b128 s[0:3], s[4:5], null                            ; f4004002 f8000000
	s_clause 0x1                                                ; bf850001
	buffer_load_b128 v[0:3], v4, s[0:3], 0 offen                ; e05c0000 80400004
	buffer_load_b128 v[4:7], v4, s[0:3], 0 offen                ; e05c0000 80400404
	s_waitcnt vmcnt(0)                                          ; bf8903f7
	v_dual_add_f32 v0, v0, v1 :: v_dual_mul_f32 v2, v2, v3      ; c9060300 02020702
	ds_store_b32 v0, v2                                         ; d8340000 00000200
	s_cbranch_scc0 BB6                                          ; bfa10002
	s_add_u32 s0, s0, 1                                         ; 80008100
	s_cbranch_vccnz BB3                                         ; bfa4fff0
BB4:
	buffer_load_b128 v[0:3], v4, s[0:3], 0 offen                ; e05c0000 80400004
	s_cbranch_scc1 BB4                                          ; bfa20000
BB5:
	s_cbranch_scc1 BB2                                          ; bfa20000
BB6:
	v_mov_b32_e32 v0, 0                                         ; 7e000280
	s_branch BB6                                                ; bfa0ffff
`;

test("loops are found in the text of instructions: the innermost ones that touch memory, alike ones together", () => {
  const none = { load: 0, store: 0, VALU: 0, SALU: 0, SMEM: 0, LDS: 0, wait: 0, branch: 0, hint: 0 };
  expect(loopsOf(INSTRUCTIONS)).toEqual([
    { block: 1, copies: 2, counts: { ...none, load: 1, branch: 1 } },
    {
      block: 3,
      copies: 1,
      counts: { ...none, load: 2, VALU: 1, SALU: 1, SMEM: 1, LDS: 1, wait: 1, branch: 2, hint: 1 },
    },
  ]);
});

test("every kernel of shaders/ is among those that are counted, with as many bindings as a device has", async () => {
  const stems = [...shaderFiles().keys()].filter((name) => !name.includes("/"));
  const [seven, fifteen] = await Promise.all([kernelTexts(7), kernelTexts(15)]);
  for (const stem of stems) {
    expect(seven.map(({ name }) => name)).toContainEqual(expect.stringMatching(`^${stem.replaceAll("_", " ")} `));
  }
  expect(new Set(seven.map(({ name }) => name)).size).toBe(seven.length);
  expect(seven.map(({ name }) => name)).toEqual(fifteen.map(({ name }) => name));
  const bound = (texts: typeof seven) =>
    texts.find(({ name }) => name.startsWith("norm l2 f32 vec4"))?.layouts?.map(({ entries }) => [...entries].length);
  expect([bound(seven), bound(fifteen)]).toEqual([
    [7, 2],
    [15, 2],
  ]);
});

test("three kernels are what the first step of the default method waits for", async () => {
  const first = (await kernelTexts(7)).filter(({ isFirst }) => isFirst).map(({ name }) => name.replace(/ .*/, ""));
  expect(first).toEqual(["norm", "finish", "scale"]);
});
