import { type Clip, type Clipper, clipByGlobalNorm, measureNorm } from "../../src/index.ts";
import { contextOf, type DeviceContext } from "../../src/webgpu/device.ts";
import type { GpuArena } from "../gpu/arena.ts";
import { dispatchesOf, type RecordedDispatch, replay } from "../gpu/passFilter.ts";
import type { Recorder } from "../gpu/recorder.ts";
import { ALWAYS, CLIP, NORM_PASS, READ, READ_AND_WRITE, RECORD, SCALE_PASS, UNCLIPPED } from "../names.ts";
import { SHRINKAGE, type Truth } from "../reference.ts";
import type { Configuration, Contestant, Entry, Work } from "../types.ts";

export interface Context {
  readonly arena: GpuArena;
  readonly recorder: Recorder;
  readonly truth: Truth;
  readonly clipper: Clipper;
  /** Workgroup counts, and lanes for kernels whose number of lanes is free. */
  readonly sweep: { readonly workgroups: readonly number[]; readonly lanes: readonly number[] };
}

type Kind = "clip" | "under" | "record" | "always" | "norm" | "scale";

interface Variant {
  readonly name: string;
  readonly kind: Kind;
  readonly work: Work;
  readonly against?: string;
  /** Times a gradient's bytes. */
  readonly traffic: number;
}

const variants: readonly Variant[] = [
  { name: CLIP, kind: "clip", work: "clip", traffic: 3 },
  { name: UNCLIPPED, kind: "under", work: "keep", against: CLIP, traffic: 1 },
  { name: RECORD, kind: "record", work: "measure", against: CLIP, traffic: 1 },
  { name: ALWAYS, kind: "always", work: "clip", against: CLIP, traffic: 3 },
  { name: NORM_PASS, kind: "norm", work: "measure", against: READ, traffic: 1 },
  { name: SCALE_PASS, kind: "scale", work: "clip", against: READ_AND_WRITE, traffic: 2 },
];

export function gradclipContestants(context: Context): Contestant[] {
  const { arena, clipper, sweep } = context;
  const deviceContext = contextOf(clipper.device as GPUDevice) as DeviceContext;
  const { grid } = deviceContext;
  return variants.map(({ name, kind, work, against, traffic }) => {
    const shipped = { lanes: grid.lanes, workgroups: kind === "scale" ? grid.scaleWorkgroups : grid.normWorkgroups };
    const swept = sweep.lanes.flatMap((lanes) => sweep.workgroups.map((workgroups) => ({ lanes, workgroups })));
    const isShipped = ({ lanes, workgroups }: Configuration) =>
      lanes === shipped.lanes && workgroups === shipped.workgroups;
    return {
      name,
      work,
      against,
      bytes: traffic * arena.bytes,
      isPart: kind === "norm" || kind === "scale",
      configurations: [shipped, ...swept.filter((configuration) => !isShipped(configuration))],
      shipped,
      async enter(configuration: Configuration): Promise<Entry> {
        const { lanes, workgroups } = configuration as Required<Configuration>;
        deviceContext.grid = { ...grid, lanes, normWorkgroups: workgroups, scaleWorkgroups: workgroups };
        try {
          return await entryOf(context, kind);
        } finally {
          deviceContext.grid = grid;
        }
      },
    };
  });
}

async function entryOf(context: Context, kind: Kind): Promise<Entry> {
  const { arena, recorder } = context;
  const clip = prepare(context, kind);
  await clip.ready;
  const encode = encoderOf(context, clip, kind);
  const part = kind === "norm" || kind === "scale" ? partOf(clip, kind) : undefined;
  return {
    async answer() {
      await arena.reset();
      await recorder.time(1, encode);
      const { norm } = await clip.report();
      const isRead = kind !== "record" && kind !== "norm";
      // The report has the norm after gradScale, which is the whole scale here.
      return {
        norm: kind === "always" ? undefined : norm,
        values: isRead ? await arena.read(arena.gradients) : undefined,
      };
    },
    async time(steps) {
      await arena.reset();
      // The answer has left the record of a clipped step.
      return recorder.time(steps, part ? (pass) => replay(pass, part) : encode);
    },
    destroy: () => clip.destroy(),
  };
}

function prepare({ arena, clipper, truth }: Context, kind: Kind): Clip {
  const { dtype, lengths } = arena.workload;
  const gradients = arena.gradients.map((buffer, i) => ({ buffer, length: lengths[i] as number, dtype }));
  switch (kind) {
    case "norm":
      return clipper.prepare(gradients, measureNorm());
    case "record":
      return clipper.prepare(gradients, clipByGlobalNorm(truth.bound), { apply: "record" });
    case "always":
      // Every scale other than 1 multiplies.
      return clipper.prepare(gradients, clipByGlobalNorm(Infinity), { gradScale: truth.bound / truth.norm });
    default:
      return clipper.prepare(gradients, clipByGlobalNorm(kind === "under" ? 2 * truth.norm : truth.bound));
  }
}

function encoderOf({ truth }: Context, clip: Clip, kind: Kind) {
  return (pass: GPUComputePassEncoder, step: number) => {
    if (kind === "clip") clip.set({ maxNorm: truth.bound * SHRINKAGE ** step });
    if (kind === "always" && step > 0) clip.set({ gradScale: SHRINKAGE });
    if (kind === "always" && step === 0) clip.set({ gradScale: Math.fround(truth.bound / truth.norm) });
    clip.encode(pass);
  };
}

/** The dispatches of one pass, found by their pipelines' labels, such as "gradclip scale f32 vec4 in-place". */
function partOf(clip: Clip, kind: "norm" | "scale"): RecordedDispatch[] {
  const all = dispatchesOf((pass) => clip.encode(pass));
  const part = all.filter(({ pipeline }) => pipeline.label.split(" ").includes(kind));
  if (part.length === 0 || part.length === all.length) throw new Error(`The plan has no ${kind} pass of its own.`);
  return part;
}
