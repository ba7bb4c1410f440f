// Line icons on a grid of 24. They say nothing to screen readers: what they stand beside or label does.
import { html } from "../html.js";

/** @type {Record<string, string>} */
const PATHS = {
  overview: "M4 20V10M10 20V4M16 20v-7M21 20H3",
  live: "M3 12h4l3-8 4 16 3-8h4",
  explore: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  funnels: "M3 5h18l-7 8v6l-4-2v-4z",
  retention: "M4 4h16v16H4zM4 9.3h16M4 14.6h16M9.3 4v16M14.6 4v16",
  cohorts: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5a6.5 6.5 0 0 1 3.5 5.5",
  goals: "M5 21V4M5 4h13l-3 4.5L18 13H5",
  boards: "M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z",
  health: "M12 20S4 15 4 9a4.3 4.3 0 0 1 8-2.2A4.3 4.3 0 0 1 20 9c0 6-8 11-8 11z",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  down: "M6 9l6 6 6-6",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  out: "M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9",
  book: "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5",
  pipeline: "M4 6h6v4H4zM14 14h6v4h-6zM10 8h4a2 2 0 0 1 2 2v4",
  calendar: "M5 6h14v14H5zM5 10h14M9 3v4M15 3v4",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 12.5l4.5 4.5L19 7.5",
};

/** @param {{name: string}} props */
export function Icon({ name }) {
  return html`<svg class="icon-svg" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
