// How uPlot draws a chart: evenly spaced periods, quiet lines of the grid, and a dashed end where a period still runs.
import UPlot from "../../vendor/uplot.js";
import { amountsOf, formatTick } from "../format.js";
import { colour } from "../state/theme.js";

/** @typedef {import("./chart.js").ChartProps} ChartProps @typedef {import("./chart.js").Series} Series */
const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const LABEL_PX = 76;
const GRID_PX = 64;
/** As many as there are colours. */
const MOST_LINES = 7;
/** So many periods between two labels at least, by granularity. @type {Record<string, number[]>} */
const STEPS = { minute: [1, 2, 5, 10, 15, 30, 60, 120, 240], hour: [1, 2, 3, 6, 12, 24, 48, 72, 168], day: [1, 2, 7, 14, 28, 56], week: [1, 2, 4, 8, 13, 26], month: [1, 2, 3, 6, 12, 24] };

/** uPlot's columns: positions, then each series; of lines the part that still runs lies in a column of its own.
 * @param {ChartProps} props @returns {any} */
export function drawn({ times, series, kind, runningFrom }) {
  const columns = series.flatMap(({ values, isQuiet }) => {
    if (kind === "bars" || isQuiet) return [values];
    // A single point is a dot, whether its period still runs or not.
    const end = values.length === 1 ? 1 : (runningFrom ?? values.length);
    return [values.map((value, at) => (at < end ? value : null)), values.map((value, at) => (at >= end - 1 && at <= end ? value : null))];
  });
  return [times.map((_, at) => at), ...columns];
}

/**
 * @param {{current: ChartProps}} latest @param {number} width @param {number} height @param {(at: number | null) => void} onPoint
 * @returns {any}
 */
export function options(latest, width, height, onPoint) {
  const { series, kind, formatAxis, format } = latest.current;
  const [quiet, line] = [colour("--text-3"), colour("--line")];
  return {
    width: Math.max(width, 50),
    height,
    padding: [10, latest.current.times.length > 3 ? 6 : 22, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 8, width: 2 }, drag: { x: Boolean(latest.current.onSelect), y: false, setScale: false } },
    scales: { x: { time: false, range: () => sides(latest.current) }, y: { range: (/** @type {any} */ _plot, /** @type {number} */ _least, /** @type {number} */ most) => [0, roundUp(most)] } },
    axes: [
      { stroke: quiet, font: FONT, size: 28, gap: 6, grid: { show: false }, ticks: { show: false }, splits: (/** @type {any} */ plot) => ticks(latest.current, plot.width), values: (/** @type {any} */ _plot, /** @type {number[]} */ at) => at.map((one) => tick(latest.current, one)) },
      { stroke: quiet, font: FONT, size: axisSize, gap: 6, space: GRID_PX, grid: { stroke: line, width: 1 }, ticks: { show: false }, values: (/** @type {any} */ _plot, /** @type {number[]} */ values) => distinct(values.map(formatAxis ?? format)) },
    ],
    series: [{}, ...series.flatMap((one, number) => (kind === "bars" ? [bars(one, number)] : lines(one, number, series)))],
    hooks: {
      setCursor: [(/** @type {any} */ plot) => onPoint(plot.cursor.left >= 0 ? plot.cursor.idx : null)],
      setSelect: [(/** @type {any} */ plot) => select(latest.current, plot)],
      drawAxes: [(/** @type {any} */ plot) => drawNotes(latest.current, plot)],
    },
  };
}

/** @param {Series} series @param {number} number @param {Series[]} all @returns {any[]} */
function lines({ token, isQuiet }, number, all) {
  const stroke = colour(token ?? `--series-${number + 1}`);
  if (isQuiet) return [{ stroke, width: 1.5, dash: [2, 4], points: { show: false } }];
  const fill = number === 0 && all.every((one, at) => at === 0 || one.isQuiet) ? colour("--series-fill") : undefined;
  const points = { show: (/** @type {any} */ plot) => plot.data[0].length === 1, size: 7 };
  return [
    { stroke, fill, width: 2, points, spanGaps: false },
    { stroke, fill, width: 2, dash: [4, 4], points: { show: false } },
  ];
}

/** @param {Series} series @param {number} number @returns {any} */
function bars({ token }, number) {
  const fill = colour(token ?? `--series-${number + 1}`);
  return { fill, stroke: fill, width: 0, points: { show: false }, paths: UPlot.paths.bars?.({ size: [0.7, 48], radius: 0.15 }) };
}

/** Where the axis of time begins and ends; bars, and a single point, need room on both sides. @param {ChartProps} props */
function sides({ kind, times }) {
  const last = Math.max(0, times.length - 1);
  return kind === "bars" || last === 0 ? [-0.5, last + 0.5] : [0, last];
}

/** The next of 1, 2, 2.5, 5 times a power of ten that leaves room above. @param {number | null} most */
function roundUp(most) {
  if (!most || most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return ([1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= most * 1.04) ?? 12) * power;
}

/** Numbers of the periods that get a label. @param {ChartProps} props @param {number} width */
function ticks({ times, granularity }, width) {
  const most = Math.max(2, Math.floor(width / LABEL_PX));
  const steps = STEPS[granularity ?? "day"] ?? STEPS.day;
  const step = steps.find((one) => times.length / one <= most) ?? Math.ceil(times.length / most);
  const first = times.findIndex((time) => place(time, granularity) % step === 0);
  const start = granularity === "hour" || granularity === "minute" ? Math.max(0, first) : 0;
  // A label near the edge would be cut off.
  const isNear = (/** @type {number} */ at) => times.length > 3 && ((times.length - 1 - at) * width) / times.length < LABEL_PX / 3;
  return times.map((_, at) => at).filter((at) => at >= start && !isNear(at) && (at - start) % step === 0);
}

/** Hour or minute of an instant on the app's clock, which its text carries. @param {string} time @param {any} granularity */
function place(time, granularity) {
  return Number(granularity === "minute" ? time.slice(14, 16) : time.slice(11, 13));
}

/** @param {ChartProps} props @param {number} at */
function tick({ times, granularity }, at) {
  const time = times[at];
  if (!time) return "";
  const isMidnight = granularity === "hour" && time.slice(11, 16) === "00:00" && times.length > 24;
  return formatTick(Date.parse(time), isMidnight ? "day" : granularity);
}

/** Half of one rounds to one: of equal labels the uppermost is right. @param {string[]} labels */
const distinct = (labels) => labels.map((label, at) => (label === labels[at + 1] ? "" : label));

/** @param {any} plot @param {string[] | null} values */
function axisSize(plot, values) {
  const longest = (values ?? []).reduce((most, value) => Math.max(most, value.length), 0);
  return Math.ceil(longest * 7 + 12);
}

/** @param {ChartProps} props @param {any} plot */
function select({ onSelect, times }, plot) {
  const { left, width } = plot.select;
  if (!onSelect || width < 8) return;
  const bound = (/** @type {number} */ at) => Math.max(0, Math.min(times.length - 1, Math.round(plot.posToVal(at, "x"))));
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  onSelect(bound(left), bound(left + width));
}

/** Annotations: a line through the period and a mark at its foot. @param {ChartProps} props @param {any} plot */
function drawNotes({ notes }, plot) {
  const { ctx, bbox } = plot;
  for (const at of notes?.keys() ?? []) {
    const x = Math.round(plot.valToPos(at, "x", true));
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--text-3");
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.arc(x, bbox.top + 4 * devicePixelRatio, 4 * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fill();
    ctx.restore();
  }
}

/** The lines of a metric and of what it is compared with; of revenue in several currencies one for each. @param {{rows: any[], metric: string, name: string, before?: string}} given
 * @returns {Series[]} */
export function seriesOf({ rows, metric, name, before }) {
  const currencies = amountsOf(metric, rows[0]).map(([currency]) => currency);
  if (currencies.length) {
    return currencies.slice(0, MOST_LINES).map((currency, number) => ({ name: currency || "No currency", values: rows.map((row) => row.revenue_by_currency[currency]), token: `--series-${number + 1}` }));
  }
  const main = { name, values: rows.map((row) => row[metric]), token: "--series-1" };
  if (!before || !rows.some((row) => row.previous)) return [main];
  const earlier = rows.map((row) => row.previous?.[metric] ?? null);
  return [main, { name: before, values: earlier, token: "--compare", isQuiet: true, times: rows.map((row) => row.previous?.timestamp) }];
}
