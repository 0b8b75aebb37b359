/** To be replaced when the experiment has run. */
export function showExperiment(_: HTMLElement): void {}
