// Light, dark, or as the system says; the choice is this browser's.
import { effect, signal } from "../html.js";

const STORED = "eventmill-theme";
/** @typedef {"system" | "light" | "dark"} Theme */
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @returns {Theme} */
function stored() {
  try {
    const found = localStorage.getItem(STORED);
    return found === "light" || found === "dark" ? found : "system";
  } catch {
    return "system";
  }
}

export const theme = signal(stored());
const systemIsDark = signal(dark.matches);
/** Changes when colours do, for what draws on a canvas. */
export const isDark = signal(false);

dark.addEventListener("change", () => (systemIsDark.value = dark.matches));
effect(() => {
  const chosen = theme.value;
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  isDark.value = chosen === "system" ? systemIsDark.value : chosen === "dark";
});

/** @param {Theme} chosen */
export function chooseTheme(chosen) {
  theme.value = chosen;
  try {
    if (chosen === "system") localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, chosen);
  } catch {
    // It holds for this page, then.
  }
}

const probe = document.createElement("i");
probe.hidden = true;

/** A token of styles/tokens.css as a colour that a canvas takes. @param {string} token such as "--series-1" */
export function colour(token) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${token})`;
  return getComputedStyle(probe).color;
}
