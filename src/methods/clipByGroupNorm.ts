import { isPlain, readBound, readOptions, wrongValue } from "../check.ts";
import { l2 } from "../norms/l2.ts";
import { groupsRule } from "../rules/groups.ts";
import { groupsNamed, OTHERS } from "./groupsNamed.ts";
import type { ClipMethod } from "./method.ts";
import { groupPasses } from "./passes.ts";

/**
 * Scales the gradients of each group by the group's own factor, so that their joint L2 norm is at most the group's bound:
 * g * min(1, bound / norm of the group). A view's `group` says where its gradient belongs. Gradients without a group are one
 * group more, whose bound is `others`. One clip takes no more dispatches for many groups than for one. This is Megatron-LM's
 * `grad_norm_group` (github.com/NVIDIA/Megatron-LM/pull/4116, 2026), which has one bound for all groups, and
 * `clip_grad_norm_` of PyTorch, called once for each parameter group.
 *
 * A bound of Infinity measures and does not scale: for gradients that Muon orthogonalises, and for others whose length does not
 * count. A skip rule judges the joint norm of the groups with a finite bound. A NaN or an infinity concerns only its own group. The report has `groups` by name, and `clip.scales` has an entry for
 * each group in the order of the bounds, `others` last. Norm and flags of the record are those of everything; its bound and its
 * scale are NaN.
 *
 * @example
 * ```ts
 * const [encoder, head] = [new Float32Array([3, 4]), new Float32Array([0.3, 0.4])];
 * const gradients = [{ buffer: encoder, group: "encoder" }, { buffer: head, group: "head" }];
 * const { groups } = await clipGradients(gradients, clipByGroupNorm({ encoder: 1, head: 0.25 }));
 * encoder; // [0.6, 0.8]
 * head; // [0.15, 0.2]
 * groups?.head?.norm; // 0.5
 * ```
 * @param bounds for each group 0 (its gradients become 0), a positive normal float32, or Infinity (measure only).
 * @param options.others the bound of the gradients without a group.
 * @throws RangeError for any other number, for no group at all and for one that is called "others"; TypeError for anything else.
 * `prepare` throws a RangeError for a group without a bound, for a gradient without a group where there is no `others`, and for one
 * range in two groups; a TypeError for `totalNorm`, and for `skip` where every bound is Infinity. `Clip.set({ maxNorm })` throws a TypeError.
 */
export function clipByGroupNorm(bounds: Readonly<Record<string, number>>, options?: { others?: number }): ClipMethod {
  const { others } = readOptions(options, "clipByGroupNorm's options", [OTHERS]);
  if (!isPlain(bounds)) {
    throw wrongValue(bounds, "clipByGroupNorm's bounds", "bounds by group, such as { encoder: 1 }");
  }
  const given = Object.entries(bounds).map(([name, bound]) => {
    if (name !== OTHERS) return [name, readBound(bound, `clipByGroupNorm's bound of ${JSON.stringify(name)}`)] as const;
    throw new RangeError('clipByGroupNorm\'s bounds has a group "others"; pass it in the options.');
  });
  if (others !== undefined) given.push([OTHERS, readBound(others, "clipByGroupNorm's others")]);
  if (given.length === 0) {
    throw new RangeError("clipByGroupNorm's bounds has no group; pass one, such as { encoder: 1 }.");
  }
  return {
    name: "clipByGroupNorm",
    // Its own property, so that nothing on Object.prototype can replace it.
    maxNorm: undefined,
    eps: 0,
    norm: l2,
    rule: groupsRule(given.map(([, bound]) => bound)),
    grouping: groupsNamed(
      "clipByGroupNorm",
      given.map(([name]) => name),
      given.flatMap(([, bound], number) => (bound === Infinity ? [number] : [])),
    ),
    passes: groupPasses,
  };
}
