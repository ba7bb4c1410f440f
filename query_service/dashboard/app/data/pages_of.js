// Long lists: a page at first, the next ones when somebody wants them.
import { useEffect, useState } from "../html.js";
import { ask } from "./api.js";

/**
 * @typedef {object} Listed
 * @property {any[]} rows all that were read
 * @property {any} meta of the last page
 * @property {boolean} isLoading
 * @property {Error | null} error
 * @property {(() => void) | null} more reads the next page; null at the end
 * @property {() => void} retry
 */

/**
 * The pages of an answer below /api, read again when what is asked changes.
 * @param {string} path
 * @param {{params?: Record<string, any>, body?: any}} asked a cursor is added to the body, or to the parameters without one
 * @returns {Listed}
 */
export function usePages(path, asked) {
  const name = JSON.stringify([path, asked]);
  const [found, setFound] = useState({ name, rows: /** @type {any[]} */ ([]), meta: /** @type {any} */ (null), error: /** @type {Error | null} */ (null) });
  const [wanted, setWanted] = useState({ name, cursor: /** @type {string | null} */ (null), turn: 0 });
  const isCurrent = found.name === name;
  useEffect(() => {
    const controller = new AbortController();
    const cursor = wanted.name === name ? wanted.cursor : null;
    const { params, body } = asked;
    const options = body ? { body: { ...body, ...(cursor ? { cursor } : {}) }, params } : { params: { ...params, cursor } };
    ask(path, { ...options, signal: controller.signal }).then(
      ({ data, meta }) => setFound((was) => ({ name, rows: cursor ? [...was.rows, ...data] : data, meta, error: null })),
      (error) => error.name === "AbortError" || setFound((was) => ({ ...(was.name === name ? was : { rows: [], meta: null }), name, error })),
    );
    return () => controller.abort();
  }, [name, wanted]);
  const cursor = isCurrent ? found.meta?.next_cursor : null;
  const [isMore, setMore] = useState(false);
  useEffect(() => setMore(false), [found]);
  const read = (/** @type {string | null} */ from) => {
    setMore(true);
    setWanted((was) => ({ name, cursor: from, turn: was.turn + 1 }));
  };
  return {
    rows: isCurrent ? found.rows : [],
    meta: isCurrent ? found.meta : null,
    isLoading: !isCurrent || isMore || (!found.meta && !found.error),
    error: isCurrent ? found.error : null,
    more: cursor ? () => read(cursor) : null,
    retry: () => read(wanted.name === name ? wanted.cursor : null),
  };
}
