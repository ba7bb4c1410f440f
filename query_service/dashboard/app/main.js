// Starts the dashboard: who reads, which apps there are, which page is shown.
import { Component, html, render, useEffect, useState } from "./html.js";
import { forgetAnswers } from "./data/api.js";
import { startBeating } from "./data/beat.js";
import { PAGES } from "./pages.js";
import { app, apps, loadApps } from "./state/apps.js";
import { address, followAddress } from "./state/address.js";
import { begin, credential, phase, useKey } from "./state/session.js";
import { FirstMinute } from "./ui/first_minute.js";
import { Shell } from "./ui/shell.js";
import { SignIn } from "./ui/sign_in.js";
import { Boundary, Failed, Loading } from "./ui/states.js";

const RETRY_MS = 5000;

function App() {
  const [trouble, setTrouble] = useState(/** @type {Error | null} */ (null));
  const mine = credential.value;
  useEffect(() => {
    forgetAnswers();
    apps.value = null;
    if (!mine) return undefined;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const load = () => loadApps().then(() => setTrouble(null), (error) => {
      setTrouble(error);
      timer = setTimeout(load, RETRY_MS);
    });
    load();
    return () => clearTimeout(timer);
  }, [mine]);
  if (phase.value === "out") return html`<${SignIn} />`;
  if (phase.value === "starting" || !apps.value) return html`<${Shell}>${trouble ? html`<${Failed} error=${trouble} />` : html`<${Loading} lines=${6} />`}<//>`;
  if (!app.value) return html`<${Shell}><p>This credential covers no app.</p><//>`;
  return html`<${Shell}><${FirstMinute} key=${app.value.app_id}><${CurrentPage} /><//><//>`;
}

/** The page of the address, once its module is here. */
function CurrentPage() {
  const entry = PAGES.find(({ page }) => page === address.value.page) ?? PAGES[0];
  const [found, setFound] = useState(/** @type {{entry: any, draw: any, error: Error | null}} */ ({ entry: null, draw: null, error: null }));
  useEffect(() => {
    let isOver = false;
    entry.load().then(
      (module) => isOver || setFound({ entry, draw: module.default, error: null }),
      () => isOver || setFound({ entry, draw: null, error: new Error("This page could not be loaded: eventmill may have been updated. Reload the page.") }),
    );
    return () => void (isOver = true);
  }, [entry]);
  if (found.entry !== entry) return html`<${Loading} lines=${8} />`;
  if (found.error) return html`<${Failed} error=${found.error} retry=${() => location.reload()} />`;
  return html`<${Boundary} name="This page" key=${`${address.value.app}/${entry.page}`}><${found.draw} /><//>`;
}

class Root extends Component {
  render() {
    return html`<${Boundary} name="The dashboard"><${App} /><//>`;
  }
}

followAddress(useKey);
if (phase.value !== "in") begin();
startBeating();
const place = /** @type {HTMLElement} */ (document.getElementById("app"));
place.replaceChildren();
render(html`<${Root} />`, place);
