// Keeps the rail as narrow or as wide as a person left it. A plain script in the head, like theme.js: nothing jumps.
(() => {
  const root = document.documentElement;
  const KEY = "rail";
  try {
    if (localStorage.getItem(KEY) === "narrow") root.dataset.rail = "narrow";
  } catch {
    // storage is off: the rail is wide
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-rail-toggle]")) return;
    const narrow = root.dataset.rail !== "narrow";
    if (narrow) root.dataset.rail = "narrow";
    else delete root.dataset.rail;
    try {
      localStorage.setItem(KEY, narrow ? "narrow" : "wide");
    } catch {
      // as above
    }
  });
})();
