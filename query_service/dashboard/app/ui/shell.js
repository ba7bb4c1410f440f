// The frame around all pages: navigation, app, theme, and the way out.
import { html, useEffect, useRef, useState } from "../html.js";
import { PAGES } from "../pages.js";
import { app, apps, chooseApp } from "../state/apps.js";
import { address, linkTo } from "../state/address.js";
import { credential, signOut } from "../state/session.js";
import { chooseTheme, theme } from "../state/theme.js";
import { Icon } from "./icon.js";

const port = (/** @type {string} */ name) => document.querySelector(`meta[name="${name}"]`)?.getAttribute("content");
export const dagsterUrl = (path = "/") => `${location.protocol}//${location.hostname}:${port("dagster-port")}${path}`;
export const ingestUrl = () => `${location.protocol}//${location.hostname}:${port("ingest-port")}`;
const NEXT = /** @type {const} */ ({ system: "light", light: "dark", dark: "system" });
const SAID = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" };

/** @param {{children?: any}} props */
export function Shell({ children }) {
  const [isOpen, setOpen] = useState(false);
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const { page } = address.value;
  useEffect(() => setOpen(false), [page]);
  return html`<div class="shell">
    <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => { event.preventDefault(); main.current?.focus(); }}>Skip to the numbers</a>
    <header class=${isOpen ? "side open" : "side"}>
      <a class="brand" aria-label="eventmill" href=${linkTo({ page: "overview" })}><img src="/assets/mark.svg" alt="" width="24" height="24" /><span>eventmill</span></a>
      <${AppChoice} />
      <button type="button" class="button plain icon menu-button" aria-label="Menu" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}><${Icon} name="menu" /></button>
      <${Navigation} />
      <${Foot} />
    </header>
    <main class="page" id="main" ref=${main} tabindex="-1">${children}</main>
  </div>`;
}

function AppChoice() {
  const all = apps.value ?? [];
  if (all.length < 2) return html`<span class="only-app"><bdi>${app.value?.name}</bdi></span>`;
  return html`<select class="field app-choice" aria-label="App" value=${app.value?.app_id} onChange=${(/** @type {any} */ event) => chooseApp(event.target.value)}>
    ${all.map((one) => html`<option key=${one.app_id} value=${one.app_id}>${one.name}</option>`)}
  </select>`;
}

function Navigation() {
  const groups = [...new Set(PAGES.map(({ group }) => group))];
  return html`<nav class="nav" aria-label="Pages">${groups.map((group) => html`<div key=${group}>
    ${group && html`<h2>${group}</h2>`}
    <ul>${PAGES.filter((one) => one.group === group).map(({ page, label, icon }) => html`<li key=${page}>
      <a href=${linkTo({ page, ...(page === address.value.page ? {} : { rest: "" }) })} aria-current=${address.value.page === page ? "page" : undefined}><${Icon} name=${icon} />${label}</a></li>`)}</ul>
  </div>`)}</nav>`;
}

function Foot() {
  const subject = credential.value?.kind === "session" ? credential.value.subject : "";
  return html`<div class="side-foot">
    <button type="button" class="line" onClick=${() => chooseTheme(NEXT[theme.value])}><${Icon} name="theme" />${SAID[theme.value]}</button>
    <a href="/docs/metrics" target="_blank" rel="noopener"><${Icon} name="book" />Metrics</a>
    <a href="/docs"><${Icon} name="code" />API</a>
    <a href=${dagsterUrl()} target="_blank" rel="noopener"><${Icon} name="pipeline" />Dagster</a>
    <button type="button" class="line" title=${subject} onClick=${() => signOut()}><${Icon} name="out" />Sign out</button>
  </div>`;
}
