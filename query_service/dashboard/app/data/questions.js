// Questions of version 2. Widgets ask one by one; what they ask in the same moment goes out once, and together where it
// differs only in the metrics. Nobody waits for an answer any more: its request is aborted.
import { useEffect, useRef, useState } from "../html.js";
import { ask } from "./api.js";
import { familyOf } from "./catalog.js";

/**
 * @typedef {import("../types.d.ts").Question} Question
 * @typedef {import("../types.d.ts").Answer} Answer
 * @typedef {import("../types.d.ts").Asked} Asked
 * @typedef {{question: Question, wanted: number, controller: AbortController, promise: Promise<Answer>}} Request
 */

const MOST_METRICS = 10;
/** Requests on their way, by question. @type {Map<string, Request>} */
const open = new Map();
/** What waits for the end of this task, by everything but the metrics. @type {Map<string, Waiting[]>} */
const waiting = new Map();
/** @typedef {{question: Question, resolve: (request: Request) => void}} Waiting */

/** @param {Question} question @returns {{answer: Promise<Answer>, leave: () => void}} */
export function askQuestion(question) {
  let hasLeft = false;
  /** @type {Request | undefined} */
  let mine;
  const answer = joined(question).then((request) => {
    mine = request;
    if (hasLeft) drop(request);
    return request.promise;
  });
  const leave = () => {
    if (hasLeft) return;
    hasLeft = true;
    if (mine) drop(mine);
  };
  return { answer, leave };
}

/** @param {Question} question @returns {Promise<Request>} */
function joined(question) {
  const { metrics, ...rest } = question;
  // Rows of dimensions are ordered and cut off by the metrics asked for, and goals are counted on their own.
  const isAlone = (question.dimensions?.length ?? 0) > 0;
  const name = JSON.stringify([isAlone ? metrics : familyOf(metrics[0]), rest]);
  return new Promise((resolve) => {
    if (waiting.size === 0) queueMicrotask(flush);
    waiting.set(name, [...(waiting.get(name) ?? []), { question, resolve }]);
  });
}

function flush() {
  const batches = [...waiting.values()];
  waiting.clear();
  for (const batch of batches) {
    const metrics = [...new Set(batch.flatMap(({ question }) => question.metrics))];
    if (metrics.length <= MOST_METRICS) start({ ...batch[0].question, metrics }, batch);
    else for (const one of batch) start(one.question, [one]);
  }
}

/** @param {Question} question @param {Waiting[]} batch */
function start(question, batch) {
  const name = JSON.stringify(question);
  let request = open.get(name);
  if (!request) {
    const controller = new AbortController();
    const promise = ask("v2/query", { body: question, signal: controller.signal });
    request = { question, wanted: 0, controller, promise };
    open.set(name, request);
    const done = () => open.get(name) === request && open.delete(name);
    promise.then(done, done);
  }
  request.wanted += batch.length;
  for (const one of batch) one.resolve(request);
}

/** @param {Request} request */
function drop(request) {
  request.wanted -= 1;
  if (request.wanted > 0) return;
  const name = JSON.stringify(request.question);
  if (open.get(name) !== request) return;
  open.delete(name);
  request.controller.abort();
}

/**
 * The answer to a question, asked again when it changes and whenever `beat` does; null asks nothing.
 * @param {Question | null} question
 * @param {number} [beat]
 * @returns {Asked}
 */
export function useQuestion(question, beat = 0) {
  const name = question && JSON.stringify(question);
  const { app_id, metrics, dimensions, granularity } = question ?? {};
  return useAsked(name, JSON.stringify([app_id, metrics, dimensions, granularity]), beat, () => askQuestion(/** @type {Question} */ (question)));
}

/**
 * The answer of a GET below /api. @param {string | null} path @param {Record<string, any>} [params] @param {number} [beat]
 * @returns {import("../types.d.ts").Asked<any>}
 */
export function useGet(path, params, beat = 0) {
  const name = path && `${path} ${JSON.stringify(params)}`;
  return useAsked(name, `${path} ${params?.app_id}`, beat, () => {
    const controller = new AbortController();
    const answer = ask(/** @type {string} */ (path), { params, signal: controller.signal });
    return { answer, leave: () => controller.abort() };
  });
}

/**
 * The answer of a POST below /api that reads. @param {string | null} path @param {any} body @param {number} [beat]
 * @param {Record<string, any>} [params] @returns {import("../types.d.ts").Asked<any>}
 */
export function usePost(path, body, beat = 0, params) {
  const name = path && `${path} ${JSON.stringify([body, params])}`;
  return useAsked(name, `${path} ${params?.app_id}`, beat, () => {
    const controller = new AbortController();
    const answer = ask(/** @type {string} */ (path), { body, params, signal: controller.signal });
    return { answer, leave: () => controller.abort() };
  });
}

/** @typedef {{answer: Promise<any>, leave: () => void}} Ask */
/** @typedef {{name: string | null, shape: string, answer: any, error: Error | null}} Found */

/**
 * An older answer is kept while a newer one is on its way if it has the same `shape`: fields of the same names.
 * @param {string | null} name @param {string} shape @param {number} beat @param {() => Ask} begin
 * @returns {import("../types.d.ts").Asked<any>}
 */
function useAsked(name, shape, beat, begin) {
  const [turn, setTurn] = useState(0);
  const [found, setFound] = useState(/** @type {Found} */ ({ name: null, shape: "", answer: null, error: null }));
  const open = useRef(/** @type {Ask | null} */ (null));
  const last = useRef(beat);
  const start = () => {
    const mine = begin();
    open.current = mine;
    const isMine = () => open.current === mine;
    const finish = (/** @type {(was: Found) => Found} */ change) => {
      if (!isMine()) return;
      open.current = null;
      setFound(change);
    };
    mine.answer.then(
      (answer) => finish(() => ({ name, shape, answer, error: null })),
      (error) => finish((was) => (error.name === "AbortError" ? was : { name, shape, answer: was.name === name ? was.answer : null, error })),
    );
  };
  useEffect(() => {
    if (name === null) return undefined;
    start();
    return () => {
      open.current?.leave();
      open.current = null;
    };
  }, [name, turn]);
  useEffect(() => {
    // A slow answer is waited for: asking anew would never see one.
    if (last.current !== beat && name !== null && !open.current) start();
    last.current = beat;
  }, [beat]);
  const isCurrent = found.name === name;
  const status = !isCurrent ? "loading" : found.error ? "failed" : "ready";
  return { status, answer: found.shape === shape ? found.answer : null, error: isCurrent ? found.error : null, retry: () => setTurn((was) => was + 1) };
}
