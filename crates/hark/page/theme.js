// @ts-check
// Sets the chosen theme before the first paint, so that the page never flashes in the other one. A classic script on purpose.
try {
  const theme = localStorage.getItem("hark-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden: the system's preference stands.
}
