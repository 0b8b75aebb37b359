export const drawFigure = (_: unknown) => "";
