// The cohort of the address: a saved one, one that is being built, or both where it was changed.
import { address, go, param } from "../state/address.js";
import { isComplete, readDefinition, tidied } from "./definitions.js";
import { useGet } from "./questions.js";

/** @typedef {import("./definitions.js").Cohort} Cohort */
/** @type {Cohort} */
const FIRST = { filter: { event_type: "page_view" }, return_event: "any" };
export const NEW = "new";

/** @returns {{reference: string, name: string, cohort: Cohort | null, isReady: boolean, isChanged: boolean, error: Error | null, retry: () => void, change: (to: Cohort) => void}} `cohort` is null until the saved one is known */
export function useCohort() {
  const { app, rest } = address.value;
  const reference = rest === NEW ? "" : rest;
  const one = useGet(reference ? `cohorts/${encodeURIComponent(reference)}` : null, { app_id: app });
  const drafted = readDefinition(param("q"));
  const cohort = drafted?.filter ? drafted : reference ? (/** @type {any} */ (one.answer?.meta)?.definition ?? null) : FIRST;
  const back = cohort?.return_event;
  return {
    reference,
    name: one.answer?.data[0]?.name ?? "",
    cohort,
    isReady: isComplete(cohort?.filter) && (!back || back === "any" || isComplete(back)),
    isChanged: Boolean(drafted),
    error: one.answer ? null : one.error,
    retry: one.retry,
    change: (to) => go({ params: { q: JSON.stringify(tidied(to)) } }),
  };
}
