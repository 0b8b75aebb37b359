// Shared by the page and its worker: the ensemble.

export const rates = [0.001, 0.005, 0.02, 0.1, 0.5];
export const ensembleMethods = ["none", "value", "norm"] as const;

/** By method, then by learning rate, then by seed. */
export interface EnsembleReport {
  step: number;
  steps: number;
  cells: { accuracy?: number; explodedAt?: number }[][];
}
