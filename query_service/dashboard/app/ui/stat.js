// One number with what became of it: its change, and its way through the range as a line.
import { html } from "../html.js";
import { isLessBetter, labelOf } from "../data/catalog.js";
import { amountsOf, formatChange, formatMetric, formatOf } from "../format.js";
import { Failed } from "./states.js";
import { Hint, Term } from "./term.js";

/** @typedef {import("../types.d.ts").Asked} Asked */

/**
 * @param {{metric: string, label?: string, total: Asked, series?: Asked, isChosen?: boolean, onChoose?: () => void, currency?: string, than?: string}} props
 *   `than` says in words what `total` was compared with.
 */
export function Stat({ metric, label, total, series, isChosen, onChoose, currency, than }) {
  const row = total.answer?.data[0];
  const value = row?.[metric];
  const change = row?.change_percent?.[metric];
  const name = label ?? labelOf(metric);
  const text = formatOf(metric, row ?? {}, { short: true, currency });
  const exact = formatOf(metric, row ?? {}, { currency });
  const amounts = amountsOf(metric, row);
  const shown = !row ? html`<i class="bone" />` : amounts.length ? html`<${Amounts} row=${row} amounts=${amounts} than=${than} />` : text;
  if (total.error && !row) return html`<${Missing} metric=${metric} label=${label} asked=${total} />`;
  return html`<div class=${isChosen ? "stat chosen" : "stat"} aria-busy=${total.status === "loading"} data-metric=${metric}>
    <div class="stat-label"><${Term} metric=${metric} label=${label} meta=${total.answer?.meta} /></div>
    ${onChoose
      ? html`<button type="button" class="stat-value" aria-pressed=${isChosen} aria-label=${`${name}: ${text}. Show it in the chart`} title=${exact} onClick=${onChoose}>${shown}</button>`
      : html`<div class="stat-value" title=${exact}>${shown}</div>`}
    ${!amounts.length && html`<div class="stat-change"><${Change} metric=${metric} change=${change} isKnown=${row?.previous != null && value !== null} before=${row?.previous?.[metric]} currency=${currency} than=${than} /></div>
      <${Sparkline} values=${(series?.answer?.data ?? []).map((one) => one[metric])} />`}
  </div>`;
}

/** Revenue, a line for each currency: they do not add up. @param {{row: any, amounts: [string, number | null][], than?: string}} props */
export function Amounts({ row, amounts, than }) {
  const [now, before] = [row.change_percent?.revenue_by_currency, row.previous?.revenue_by_currency];
  return html`<span class="amounts">${amounts.map(([currency, amount]) => html`<span key=${currency}><span>${formatMetric("revenue", amount, { short: true, currency })}</span>
    <small><${Change} metric="revenue" change=${now?.[currency]} isKnown=${before != null} before=${before?.[currency]} currency=${currency} than=${than} /></small></span>`)}</span>`;
}

/** A card whose number is missing: why is in its explanation. @param {{metric: string, label?: string, asked: Asked}} props */
function Missing({ metric, label, asked }) {
  return html`<div class="stat" data-metric=${metric}>
    <div class="stat-label"><${Hint} label=${label ?? labelOf(metric)}><${Failed} error=${asked.error} /><//></div>
    <div class="stat-value quiet">–</div>
    <button type="button" class="link small" onClick=${asked.retry}>Try again</button>
  </div>`;
}

/** @param {{metric: string, change?: number | null, isKnown: boolean, before?: number | null, currency?: string, than?: string}} props */
export function Change({ metric, change, isKnown, before, currency, than = "the period before" }) {
  if (!isKnown || (change == null && before == null)) return null;
  if (change === null || change === undefined) return html`<span class="quiet" title=${`Nothing to compare with in ${than}`}>–</span>`;
  const isGood = change > 0 !== isLessBetter(metric);
  const tone = change === 0 ? "quiet" : isGood ? "good" : "bad";
  const arrow = change > 0 ? "▲" : change < 0 ? "▼" : "";
  return html`<span class=${tone} title=${`${formatMetric(metric, before, { currency })} in ${than}`}><span aria-hidden="true">${arrow}</span> ${formatChange(change)}</span>`;
}

const WIDTH = 120;
const HEIGHT = 28;

/** The course of a metric without axes; what it shows is in the chart and its table as well. @param {{values: (number | null)[]}} props */
export function Sparkline({ values }) {
  const known = values.map((value, place) => [place, value]).filter(([, value]) => value !== null && value !== undefined);
  const numbers = known.map(([, value]) => Number(value));
  const most = Math.max(0, ...numbers);
  if (numbers.length < 2 || most === 0) return html`<svg class="spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true"></svg>`;
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = known.map(([place, value]) => `${(Number(place) * step).toFixed(1)},${(HEIGHT - 2 - ((HEIGHT - 4) * Number(value)) / most).toFixed(1)}`);
  return html`<svg class="spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
    <polyline points=${points.join(" ")} vector-effect="non-scaling-stroke" />
  </svg>`;
}
