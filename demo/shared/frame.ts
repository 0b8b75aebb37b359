/** Returns a function that draws in the next frame. Several calls before that frame draw once. */
export function oncePerFrame(draw: () => void): () => void {
  let isRequested = false;
  return () => {
    if (isRequested) return;
    isRequested = true;
    requestAnimationFrame(() => {
      isRequested = false;
      draw();
    });
  };
}
