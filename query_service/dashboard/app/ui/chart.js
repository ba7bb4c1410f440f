// A chart over time: lines or bars on evenly spaced periods, by uPlot. Arrow keys move from period to period and screen
// readers hear each; the same numbers stand in a table for them.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { formatPeriod } from "../format.js";
import { isDark } from "../state/theme.js";
import { drawn, options } from "./plot.js";
import UPlot from "../../vendor/uplot.js";

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {(number | null)[]} values one for each time
 * @property {string} [token] colour, such as "--series-1"
 * @property {boolean} [isQuiet] a dashed line to compare with
 * @property {string[]} [times] instants of its own, for the tooltip
 *
 * @typedef {object} ChartProps
 * @property {string} label what the chart shows
 * @property {string[]} times instants at which the periods begin
 * @property {Series[]} series
 * @property {string | null | undefined} granularity
 * @property {(value: number | null) => string} format
 * @property {(value: number) => string} [formatAxis]
 * @property {"line" | "bars"} [kind]
 * @property {number} [height]
 * @property {number} [runningFrom] number of the period that is not over yet
 * @property {Map<number, string[]>} [notes] annotations by number of the period
 * @property {(first: number, last: number) => void} [onSelect] a range was drawn
 */

/** @param {ChartProps} props */
export function Chart(props) {
  const { label, times, series, granularity, format, kind = "line", height = 260, notes } = props;
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {any} */ (null));
  const latest = useRef(props);
  latest.current = props;
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  const shape = JSON.stringify([kind, height, isDark.value, series.map(({ name, token, isQuiet }) => [name, token, isQuiet])]);

  useLayoutEffect(() => {
    const node = /** @type {HTMLDivElement} */ (place.current);
    const made = new UPlot(options(latest, node.clientWidth, height, setPointed), drawn(latest.current), node);
    plot.current = made;
    const observer = new ResizeObserver(() => node.clientWidth && made.setSize({ width: node.clientWidth, height }));
    observer.observe(node);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [shape]);
  useEffect(() => void plot.current?.setData(drawn(latest.current)), [times, series, props.runningFrom, notes]);

  const move = (/** @type {number} */ to) => {
    const index = Math.max(0, Math.min(times.length - 1, to));
    plot.current?.setCursor({ left: plot.current.valToPos(index, "x"), top: 10 });
    setPointed(index);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const now = pointed ?? times.length - 1;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: times.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  };
  const at = pointed !== null && pointed < times.length ? pointed : null;
  return html`<div class="chart">
    <div class="chart-plot" ref=${place} style=${{ height: `${height}px` }} tabindex="0" role="slider" aria-label=${`${label}. Arrow keys move through it.`}
      aria-valuemin="0" aria-valuemax=${Math.max(0, times.length - 1)} aria-valuenow=${at ?? Math.max(0, times.length - 1)}
      aria-valuetext=${spoken(props, at ?? times.length - 1)} onKeyDown=${onKeyDown} onBlur=${() => setPointed(null)}></div>
    ${at !== null && html`<${Pointed} props=${props} at=${at} plot=${plot.current} />`}
    <${Rows} label=${label} times=${times} series=${series} granularity=${granularity} format=${format} />
  </div>`;
}

/** @param {ChartProps} props @param {number} at */
function spoken({ times, series, granularity, format, notes }, at) {
  if (!times.length) return "No data";
  const numbers = series.map(({ name, values }) => `${name} ${format(values[at])}`).join(", ");
  return [`${formatPeriod(times[at], granularity)}: ${numbers}`, ...(notes?.get(at) ?? [])].join(". ");
}

/** The numbers of the period that is pointed at. @param {{props: ChartProps, at: number, plot: any}} given */
function Pointed({ props: { times, series, granularity, format, notes, runningFrom }, at, plot }) {
  const card = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    const node = card.current;
    if (!node || !plot) return;
    const [x, width] = [plot.valToPos(at, "x") + plot.over.offsetLeft, node.offsetWidth];
    const isRight = x + width + 20 > plot.width;
    node.style.transform = `translateX(${Math.max(0, isRight ? x - width - 12 : x + 12)}px)`;
  });
  return html`<div class="chart-tip" ref=${card} aria-hidden="true">
    <p class="quiet">${formatPeriod(times[at], granularity)}${at === runningFrom ? " · still running" : ""}</p>
    ${series.map(({ name, values, token, isQuiet, times: own }, number) => html`<p class="tip-line" key=${name}>
      <i class=${isQuiet ? "key dashed" : "key"} style=${{ color: `var(${token ?? `--series-${number + 1}`})` }} />
      <span>${own?.[at] ? formatPeriod(own[at], granularity) : name}</span><strong>${format(values[at])}</strong></p>`)}
    ${(notes?.get(at) ?? []).map((note) => html`<p class="tip-note" key=${note}>${note}</p>`)}
  </div>`;
}

/** The chart's numbers for screen readers. @param {{label: string, times: string[], series: Series[], granularity: any, format: (value: number | null) => string}} props */
function Rows({ label, times, series, granularity, format }) {
  // A table is as high as its rows, whatever its style: what surrounds it is hidden.
  return html`<div class="sr"><table><caption>${label}</caption>
    <thead><tr><th scope="col">Period</th>${series.map(({ name }) => html`<th scope="col" key=${name}>${name}</th>`)}</tr></thead>
    <tbody>${times.map((time, number) => html`<tr key=${time}><th scope="row">${formatPeriod(time, granularity)}</th>
      ${series.map(({ name, values }) => html`<td key=${name}>${format(values[number])}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** The keys of the lines. @param {{series: Pick<Series, "name" | "token" | "isQuiet">[]}} props */
export function Legend({ series }) {
  return html`<ul class="legend">${series.map(({ name, token, isQuiet }, number) => html`<li key=${name}>
    <i class=${isQuiet ? "key dashed" : "key"} style=${{ color: `var(${token ?? `--series-${number + 1}`})` }} /><span>${name}</span></li>`)}</ul>`;
}
