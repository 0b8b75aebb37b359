import type { Trainer } from "./trainer.ts";

/** The kernels that one step dispatches, in order. A pass that only listens takes them from the calls. */
export function kernelsOf(trainer: Trainer): string[] {
  const kernels: string[] = [];
  let current = "";
  const listener: Partial<GPUComputePassEncoder> = {
    setPipeline({ label }: GPUComputePipeline) {
      current = label;
    },
    setBindGroup() {},
    dispatchWorkgroups() {
      kernels.push(current);
    },
  };
  trainer.encode(listener as GPUComputePassEncoder);
  return kernels;
}

/** Shows one mark for each kernel; gradclip's have another colour. */
export function showKernels(list: HTMLOListElement, kernels: readonly string[]): void {
  list.replaceChildren(
    ...kernels.map((kernel) => {
      const item = document.createElement("li");
      item.textContent = kernel.replace(/^gradclip /, "");
      if (kernel.startsWith("gradclip ")) item.className = "clip";
      return item;
    }),
  );
}
