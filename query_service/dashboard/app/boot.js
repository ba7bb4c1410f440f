// Runs before the first paint: the theme that was chosen here, so that no page flashes in the other one.
(() => {
  try {
    const chosen = localStorage.getItem("eventmill-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage is forbidden here: the system's theme it is.
  }
})();
