// The client itself: one call, with its types, its repeats and its tokens.

import type { components } from "./generated/api";
import { Intents } from "./intents";
import { NoAnswer, Refusal, refusal } from "./problems";
import { Session } from "./session";
import { browserLock, browserStorage, pause, within, type Lock, type Random, type Storage } from "./surroundings";
import { fetchTransport, type Method, type Transport, type WireResponse } from "./transport";
import type { Answer, Arguments, Manner, PathOf, Verb } from "./types";

export interface Settings {
  /** Where the API is, without a slash at the end; empty for the page's own origin. */
  baseUrl?: string;
  transport?: Transport;
  storage?: Storage;
  lock?: Lock;
  random?: Random;
  /** The language of texts and problems, asked for each call. */
  language?: () => "zh-CN" | "en";
  /** Further headers of a call, `X-Merchant-Id` of whom somebody acts for. */
  headers?: (path: string) => Record<string, string>;
  /** Called when the session has ended and nobody is signed in any longer. */
  signedOut?: () => void;
  now?: () => number;
  wait?: (ms: number) => Promise<void>;
}

/** An answer with what its headers say. */
export interface Whole<T> {
  data: T;
  status: number;
  headers: Record<string, string>;
  /** Names the version: send it back as `If-Match` with a change. */
  etag: string | undefined;
  /** Whether the record had been made before, by the same key. */
  replayed: boolean;
}

interface Call extends Manner {
  path?: Record<string, string | number>;
  query?: Record<string, string | number | boolean | null | undefined>;
  headers?: Record<string, string | undefined>;
  key?: string;
  body?: unknown;
}

const TRIES = 4;
const TIMEOUT_MS = 25_000;
const FIRST_WAIT_MS = 300;
/** Who is told to come back later than this is told so: a person would not sit and wait for it. */
const LONGEST_WAIT_MS = 10_000;
const CART = "biandan.cart";
/** Calls that a guest's cart goes with. */
const WITH_CART = /^\/v1\/(cart|quotes)(\/|$)/;

export type Client = ReturnType<typeof createClient>;

/** Return a client. Its defaults are a browser's; a mini program gives `transport`, `storage` and `lock` of its own. */
export function createClient(settings: Settings = {}) {
  const { baseUrl = "", transport = fetchTransport(), storage = browserStorage(), lock = browserLock() } = settings;
  const { now = Date.now, wait = pause } = settings;
  const intents = new Intents(storage, now, settings.random);
  const session = new Session(storage, lock, exchange, () => settings.signedOut?.(), now);

  async function exchange(body: components["schemas"]["Refresh"]) {
    // Asked again within seconds the same device gets the same pair: this may be repeated though it has no key.
    const answer = await repeated("POST", "/v1/auth/refresh", { body }, undefined, true);
    return parsed(answer) as components["schemas"]["TokensView"];
  }

  function once(method: Method, path: string, call: Call, token: string | undefined): Promise<WireResponse> {
    const headers: Record<string, string> = { Accept: "application/json", ...settings.headers?.(path) };
    if (settings.language) headers["Accept-Language"] = settings.language();
    if (token !== undefined) headers["Authorization"] = `Bearer ${token}`;
    if (call.key !== undefined) headers["Idempotency-Key"] = call.key;
    const cart = WITH_CART.test(path) ? storage.get(CART) : undefined;
    if (cart) headers["X-Cart-Token"] = cart;
    for (const [name, value] of Object.entries(call.headers ?? {})) if (value !== undefined) headers[name] = value;
    const text = typeof call.body === "string";
    if (call.body !== undefined) headers["Content-Type"] = text ? "text/csv" : "application/json";
    const body = call.body === undefined ? {} : { body: text ? (call.body as string) : JSON.stringify(call.body) };
    const timeoutMs = call.timeoutMs ?? TIMEOUT_MS;
    const sent = transport({ method, url: baseUrl + address(path, call), headers, timeoutMs, ...body });
    return within(timeoutMs, sent, () => new Error(`no answer within ${timeoutMs} ms`));
  }

  /** Try until there is an answer that a repeat would not change. */
  async function repeated(method: Method, path: string, call: Call, token: string | undefined, safe = isSafe(method, call)) {
    for (let tried = 1; ; tried += 1) {
      const error = await once(method, path, call, token).then(
        (answer) => (answer.status < 400 ? answer : refusal(answer.status, answer.text, answer.headers["retry-after"])),
        (cause: unknown) => new NoAnswer(cause instanceof Error ? cause.message : String(cause)),
      );
      if (!(error instanceof Error)) return error;
      const waitMs = backOff(error, tried);
      if (tried >= (call.tries ?? TRIES) || waitMs > LONGEST_WAIT_MS || !mayRepeat(error, safe)) throw error;
      await wait(waitMs);
    }
  }

  async function send(method: Method, path: string, call: Call): Promise<Whole<unknown>> {
    const token = await session.token();
    let answer: WireResponse;
    try {
      answer = await repeated(method, path, call, token);
    } catch (error) {
      // The token was refused: a fresh proof that is wanted, or a wrong password, are other codes.
      if (token === undefined || !(error instanceof Refusal && error.is("unauthenticated"))) throw error;
      answer = await repeated(method, path, call, await session.token(token));
    }
    const data = parsed(answer);
    const begun = WITH_CART.test(path) ? (data as { cart_token?: string } | undefined)?.cart_token : undefined;
    if (begun !== undefined) storage.set(CART, begun);
    const { status, headers } = answer;
    return { data, status, headers, etag: headers["etag"], replayed: headers["idempotency-replayed"] === "true" };
  }

  function by<V extends Verb>(verb: V) {
    return async <P extends PathOf<V>>(path: P, ...[options]: Arguments<V, P>): Promise<Answer<V, P>> =>
      (await send(verb.toUpperCase() as Method, path, (options ?? {}) as Call)).data as Answer<V, P>;
  }

  return {
    get: by("get"),
    post: by("post"),
    put: by("put"),
    patch: by("patch"),
    delete: by("delete"),
    /** The same, with status and headers: for an `ETag`, or to know whether it was a repeat. */
    whole: async <V extends Verb, P extends PathOf<V>>(verb: V, path: P, ...[options]: Arguments<V, P>) =>
      (await send(verb.toUpperCase() as Method, path, (options ?? {}) as Call)) as Whole<Answer<V, P>>,
    session,
    intents,
    cart: {
      /** The token of a guest's cart, to merge it after a sign-in. */
      token: () => storage.get(CART) ?? undefined,
      forget: () => storage.remove(CART),
    },
  };
}

function parsed({ text, status }: WireResponse): unknown {
  try {
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  } catch {
    throw new NoAnswer("an answer that is no JSON: is this the API's address?", status);
  }
}

/** Whether a call may be sent again when nobody knows whether it arrived: what has a key or only sets has one effect. */
function isSafe(method: Method, call: Call): boolean {
  return method === "POST" ? call.key !== undefined : call.headers?.["If-Match"] === undefined;
}

function mayRepeat(error: Refusal | NoAnswer, safe: boolean): boolean {
  if (error instanceof Refusal && error.is("challenge_needed")) return false; // Work is wanted: waiting does none of it.
  if (error.status === 429) return true; // It was refused before anything was done.
  return safe && (error.status === undefined || error.status >= 500);
}

function backOff(error: Refusal | NoAnswer, tried: number): number {
  if (error instanceof Refusal && error.retryAfterS !== undefined) return error.retryAfterS * 1000;
  return FIRST_WAIT_MS * 2 ** (tried - 1) * (0.5 + Math.random());
}

function address(path: string, call: Call): string {
  const whole = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = call.path?.[name];
    if (value === undefined || value === "") throw new Error(`${path}: ${name} is missing`);
    return encodeURIComponent(value);
  });
  const query = Object.entries(call.query ?? {})
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
  return query.length === 0 ? whole : `${whole}?${query.join("&")}`;
}
