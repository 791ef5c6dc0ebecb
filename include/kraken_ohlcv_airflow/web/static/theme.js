// Follows the theme of the Airflow page around this frame, live; alone, that of the system.
"use strict";
(() => {
  const own = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  const around = () => {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null; // framed by a page of another origin, whose theme nobody may read
    }
  };

  const theme = () => {
    const parent = around();
    if (parent?.classList.contains("dark")) return "dark";
    if (parent?.classList.contains("light")) return "light";
    return system.matches ? "dark" : "light";
  };

  const follow = () => {
    own.dataset.theme = theme();
  };

  follow();
  system.addEventListener("change", follow);
  const parent = around();
  if (parent) new MutationObserver(follow).observe(parent, { attributes: true, attributeFilter: ["class"] });
})();
