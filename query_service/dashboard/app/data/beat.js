// Widgets ask again at every beat while somebody looks: often where the range ends now, else once a minute.
import { effect, signal } from "../html.js";
import { range } from "../state/range.js";

const QUICK_MS = 10_000;
const CALM_MS = 60_000;
const QUICK = new Set(["5m", "10m", "60m", "today", "24h"]);

export const beat = signal(0);
/** @type {ReturnType<typeof setInterval> | undefined} */
let timer;
let last = Date.now();

export function startBeating() {
  effect(() => {
    const word = range.value;
    const every = typeof word === "string" && QUICK.has(word) ? QUICK_MS : CALM_MS;
    clearInterval(timer);
    timer = setInterval(() => {
      if (document.hidden) return;
      last = Date.now();
      beat.value += 1;
    }, every);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || Date.now() - last < QUICK_MS) return;
    last = Date.now();
    beat.value += 1;
  });
}
