// Boards: what their widgets are (docs/http_api.md, /api/dashboards), and what can be made of a choice.
import { fieldLabel, labelOf } from "./catalog.js";

/** @typedef {import("../types.d.ts").Question} Question */
/**
 * @typedef {object} Widget
 * @property {"number" | "timeseries" | "bar" | "table" | "funnel" | "retention" | "text"} kind
 * @property {string} title
 * @property {"small" | "medium" | "large" | "full"} size
 * @property {Question} [question]
 * @property {string} [funnel]
 * @property {string} [cohort]
 * @property {"day" | "week" | "month"} [interval]
 * @property {"on" | "on_or_after"} [mode]
 * @property {string} [text]
 */
/** @typedef {{id: string, name: string, widgets: Widget[], version: number, updated_at: string}} Board */

export const SIZES = /** @type {[string, string][]} */ ([["small", "Small"], ["medium", "Half"], ["large", "Large"], ["full", "Full width"]]);
export const KINDS = /** @type {[string, string][]} */ ([["number", "A number"], ["timeseries", "A course over time"], ["bar", "The largest values"], ["table", "A table"], ["funnel", "A saved funnel"], ["retention", "A saved cohort's retention"], ["text", "A text"]]);
const QUESTIONS = new Set(["number", "timeseries", "bar", "table"]);
const MOST_ROWS = 10;

/** @param {Pick<Widget, "kind">} widget */
export const hasQuestion = ({ kind }) => QUESTIONS.has(kind);

/** What a widget is called where it has no title. @param {Widget} widget */
export function titleOf(widget) {
  if (widget.title) return widget.title;
  const { metrics = [], dimensions = [] } = widget.question ?? {};
  const by = dimensions.length ? ` by ${dimensions.map(fieldLabel).join(", ").toLowerCase()}` : "";
  if (metrics.length) return `${metrics.map(labelOf).join(", ")}${by}`;
  return widget.funnel ?? widget.cohort ?? "";
}

/**
 * The question that a form's choices make.
 * @param {Widget["kind"]} kind
 * @param {{metric: string, dimension: string, range: string, compare: boolean, filters?: import("../types.d.ts").Filter[], goal?: string}} chosen
 * @returns {Question}
 */
export function questionOf(kind, { metric, dimension, range, compare, filters = [], goal }) {
  const lists = kind === "bar" || kind === "table";
  return {
    metrics: [metric],
    date_range: range,
    ...(filters.length ? { filters } : {}),
    ...(goal ? { goal } : {}),
    ...(kind === "timeseries" ? { granularity: "auto" } : {}),
    ...(lists ? { dimensions: [dimension], order_by: [[metric, "desc"]], limit: kind === "bar" ? MOST_ROWS : 10 * MOST_ROWS } : {}),
    ...(compare && !lists && range !== "all" ? { compare: "previous_period" } : {}),
  };
}

/** @param {Widget[]} widgets @param {number} from @param {number} to */
export function moved(widgets, from, to) {
  if (to < 0 || to >= widgets.length) return widgets;
  const others = widgets.toSpliced(from, 1);
  return others.toSpliced(to, 0, widgets[from]);
}
