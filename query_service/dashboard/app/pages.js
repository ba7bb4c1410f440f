// Every page of the dashboard: its place in the navigation, and the module that draws it, loaded when it is opened.
// A page module exports `default`, a component without properties. See docs/dashboard.md, "How a page is made".

/**
 * @typedef {object} PageEntry
 * @property {string} page its name in the address
 * @property {string} label
 * @property {string} icon
 * @property {string} group heading in the navigation; empty for none
 * @property {() => Promise<{default: any}>} load
 */

/** @type {PageEntry[]} */
export const PAGES = [
  { page: "overview", label: "Overview", icon: "overview", group: "", load: () => import("./pages/overview.js") },
  { page: "live", label: "Live", icon: "live", group: "", load: () => import("./pages/live.js") },
  { page: "explore", label: "Explore", icon: "explore", group: "", load: () => import("./pages/explore.js") },
  { page: "boards", label: "Boards", icon: "boards", group: "", load: () => import("./pages/boards.js") },
  { page: "funnels", label: "Funnels", icon: "funnels", group: "Behaviour", load: () => import("./pages/funnels.js") },
  { page: "retention", label: "Retention", icon: "retention", group: "Behaviour", load: () => import("./pages/retention.js") },
  { page: "cohorts", label: "Cohorts", icon: "cohorts", group: "Behaviour", load: () => import("./pages/cohorts.js") },
  { page: "goals", label: "Goals", icon: "goals", group: "Behaviour", load: () => import("./pages/goals.js") },
  { page: "health", label: "Health", icon: "health", group: "Data", load: () => import("./pages/health.js") },
];
