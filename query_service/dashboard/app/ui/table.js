// Rows and columns: sorted by a click on a head, written as CSV by the button beside.
import { html, useMemo, useState } from "../html.js";
import { Icon } from "./icon.js";
import { Definition, Hint } from "./term.js";

/**
 * @typedef {object} Column
 * @property {string} key of the rows' value
 * @property {string} label
 * @property {import("./term.js").Meant} [meant] what the column's numbers mean: said where its head is pointed at
 * @property {boolean} [isText] to the left, and sorted as text
 * @property {(value: any, row: any) => any} [show] the cell's content
 */

const AT_ONCE = 200;

/**
 * @param {{caption: string, columns: Column[], rows: any[], sort?: string, onRow?: (row: any) => void, keyOf?: (row: any) => string}} props
 *   `sort` is a column's key, with - before it for descending.
 */
export function Table({ caption, columns, rows, sort = "", keyOf }) {
  const [order, setOrder] = useState(sort);
  const [shown, setShown] = useState(AT_ONCE);
  const sorted = useMemo(() => sortRows(rows, order), [rows, order]);
  const head = columns.map((column) => html`<${Head} key=${column.key} column=${column} order=${order} onSort=${setOrder} />`);
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label=${caption}><table class="table">
    <caption class="sr">${caption}</caption>
    <thead><tr>${head}</tr></thead>
    <tbody>${sorted.slice(0, shown).map((row, number) => html`<tr key=${keyOf ? keyOf(row) : number}>
      ${columns.map(({ key, isText, show }) => html`<td key=${key} class=${isText ? "text" : ""}>${show ? show(row[key], row) : row[key]}</td>`)}
    </tr>`)}</tbody>
  </table></div>
  ${rows.length > shown && html`<button type="button" class="button tiny" onClick=${() => setShown(rows.length)}>Show all ${rows.length} rows</button>`}`;
}

/** @param {{column: Column, order: string, onSort: (order: string) => void}} props */
function Head({ column, order, onSort }) {
  const { key, label, meant, isText } = column;
  const direction = order === key ? "ascending" : order === `-${key}` ? "descending" : undefined;
  const next = direction === "descending" || (!direction && isText) ? key : `-${key}`;
  const button = html`<button type="button" class="sort" onClick=${() => onSort(next)}><span class=${meant ? "meant" : ""}>${label}</span>${direction && html`<span aria-hidden="true">${direction === "ascending" ? "↑" : "↓"}</span>`}</button>`;
  return html`<th scope="col" class=${isText ? "text" : ""} aria-sort=${direction}>${meant ? html`<${Hint} own=${button}><${Definition} ...${meant} /><//>` : button}</th>`;
}

/** What is missing comes last, whatever the direction. @param {any[]} rows @param {string} order */
export function sortRows(rows, order) {
  if (!order) return rows;
  const isDown = order.startsWith("-");
  const key = isDown ? order.slice(1) : order;
  const sign = isDown ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [left, right] = [a[key] ?? null, b[key] ?? null];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    if (typeof left === "number" && typeof right === "number") return sign * (left - right);
    return sign * String(left).localeCompare(String(right));
  });
}

/** Rows as CSV (RFC 4180); a text that a spreadsheet would take for a formula gets an apostrophe.
 * @param {{key: string, label: string}[]} columns @param {any[]} rows */
export function toCsv(columns, rows) {
  const cell = (/** @type {any} */ value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [columns.map(({ label }) => cell(label)), ...rows.map((row) => columns.map(({ key }) => cell(row[key])))];
  return lines.map((line) => line.join(",")).join("\r\n");
}

/** @param {Blob | string} content @param {string} name */
export function saveFile(content, name) {
  const blob = typeof content === "string" ? new Blob([content], { type: "text/csv;charset=utf-8" }) : content;
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {{columns: {key: string, label: string}[], rows: any[], name: string}} props */
export function CsvButton({ columns, rows, name }) {
  const save = () => saveFile(toCsv(columns, rows), `${name}.csv`);
  return html`<button type="button" class="button plain tiny" onClick=${save}><${Icon} name="download" />CSV</button>`;
}
