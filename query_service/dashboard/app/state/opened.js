// What lies over the page is in the address as well: the list behind a number, and a person of it.
// A person is there by a checksum, never by an id: a link tells nobody who it is about, but whoever may see the list.
import { useMemo } from "../html.js";
import { address, go, param } from "./address.js";

/** What a page needs to know which number it was, such as `{step: 2}`. @typedef {Record<string, any>} Behind */

/** @param {Behind} behind */
export const openList = (behind) => go({ params: { list: JSON.stringify(behind), person: "" } });
export const closeList = () => go({ params: { list: "", person: "" } });

/** The number whose list is open; null where none is. @returns {Behind | null} */
export function listOpened() {
  try {
    const found = JSON.parse(param("list"));
    return found && typeof found === "object" ? found : null;
  } catch {
    return null;
  }
}

/**
 * What to show for the number of the address, made once it is known: a newer number does not change an open list.
 * @template T @param {boolean} isKnown @param {(behind: Behind) => T | null} make @returns {T | null}
 */
export function useOpened(isKnown, make) {
  const text = param("list");
  return useMemo(() => {
    const behind = isKnown ? listOpened() : null;
    return behind && make(behind);
  }, [text, isKnown]);
}

/** @param {string} person a name of POST /api/people/query; empty goes back to the list */
export const openPerson = (person) => go({ params: { person: person && checksum(person) } });
/** @param {string} person */
export const isPersonOpened = (person) => param("person") === checksum(person);
export const hasPerson = () => param("person") !== "";

/** FNV-1a, 32 bits: enough to find somebody in a list, too little to say who it is. @param {string} person */
function checksum(person) {
  let sum = 0x811c9dc5;
  for (const character of `${address.value.app}/${person}`) sum = Math.imul(sum ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return (sum >>> 0).toString(36);
}
