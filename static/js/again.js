// A page that could not be made because something is away tries again by itself.

const AGAIN_MS = 10_000;

setTimeout(() => location.reload(), AGAIN_MS);
