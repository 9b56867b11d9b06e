/** Every call goes through here: it knows its operation, carries the session, and asks for what is missing. */
import {
  browserLock,
  browserStorage,
  createClient,
  NoAnswer,
  type Client,
  type Storage,
  type Transport,
} from "../../../client/src/index.js";

import { Refusal } from "@/api/problem";
import type { AnswerOf, BodyOf, QueryOf } from "@/api/types";
import { ruleOf, type Operation } from "@/policy";

export interface Request<Name extends Operation> {
  path?: Record<string, string>;
  query?: QueryOf<Name>;
  body?: BodyOf<Name>;
  /** The intent's key (`useIntent`); a call that needs one and is given none is an intent of its own. */
  key?: string;
  ifMatch?: string;
  /** A file as it is, in the place of a body. */
  file?: Blob;
}

interface Setting {
  base: string;
  language: () => "zh-CN" | "en";
  merchantId: () => string | undefined;
  /** Asks the person for what a refused call wants; says whether it is worth calling again. */
  prove: (refusal: Refusal) => Promise<boolean>;
  /** The session is over. */
  over: () => void;
  /** A factor must be set up first. */
  factorNeeded: () => void;
  transport?: Transport;
}

const setting: Setting = {
  base: "",
  language: () => "en",
  merchantId: () => undefined,
  prove: () => Promise.resolve(false),
  over: () => undefined,
  factorNeeded: () => undefined,
};

/** The storefront may lie on the same origin: its person and the console's are two. */
const PREFIX = "console.";
const files = new Map<string, Blob>();
let made: Client | undefined;

export function configure(given: Partial<Setting>): void {
  Object.assign(setting, given);
  made = undefined;
}

export function client(): Client {
  made ??= createClient({
    baseUrl: setting.base,
    transport: setting.transport ?? transport,
    storage: apart(browserStorage()),
    lock: (name, work) => browserLock()(PREFIX + name, work),
    language: () => setting.language(),
    headers(path): Record<string, string> {
      const merchantId = path.startsWith("/v1/merchant/") ? setting.merchantId() : undefined;
      return merchantId ? { "X-Merchant-Id": merchantId } : {};
    },
    signedOut: () => setting.over(),
  });
  return made;
}

function apart(storage: Storage): Storage {
  return {
    get: (name) => storage.get(PREFIX + name),
    set: (name, value) => storage.set(PREFIX + name, value),
    remove: (name) => storage.remove(PREFIX + name),
  };
}

/** Tell when another tab signs in or out. */
export function onOtherTab(told: () => void): void {
  addEventListener("storage", (event) => {
    if (event.key === PREFIX + "biandan.tokens") told();
  });
}

/** Call an operation and return its answer. Throws a `Refusal`, or `NoAnswer` where it may or may not have happened. */
export async function call<Name extends Operation>(operation: Name, request: Request<Name> = {}): Promise<AnswerOf<Name>> {
  return (await callWithTag(operation, request)).answer;
}

/** The same, with the tag of the version that was answered. */
export async function callWithTag<Name extends Operation>(
  operation: Name,
  request: Request<Name> = {},
): Promise<{ answer: AnswerOf<Name>; tag: string | undefined }> {
  const rule = ruleOf(operation);
  const name = request.file ? held(request.file) : undefined;
  const options = {
    path: request.path,
    query: request.query,
    body: name ?? request.body,
    key: rule.key ? (request.key ?? client().intents.key()) : undefined,
    headers: request.ifMatch ? { "If-Match": request.ifMatch } : undefined,
  };
  try {
    const whole = await persist(() => loosely(rule.method.toLowerCase(), rule.path, options));
    return { answer: whole.data as AnswerOf<Name>, tag: whole.etag };
  } finally {
    if (name) files.delete(name);
  }
}

/** The client's types know verb and path; here both come out of the policy table. */
function loosely(verb: string, path: string, options: object): Promise<{ data: unknown; etag: string | undefined }> {
  const whole = client().whole as unknown as (
    verb: string,
    path: string,
    options: object,
  ) => Promise<{ data: unknown; etag: string | undefined }>;
  return whole(verb, path, options);
}

/** Call; where a proof is wanted, ask for it and call again, once. */
async function persist<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (refused) {
    if (!(refused instanceof Refusal)) throw refused;
    if (refused.code === "second_factor_required") setting.factorNeeded();
    if (refused.code !== "fresh_proof_needed" || !(await setting.prove(refused))) throw refused;
    return work();
  }
}

/** Remember a file by a name that stands for it in the client's text body. */
function held(file: Blob): string {
  const name = `file:${crypto.randomUUID()}`;
  files.set(name, file);
  return name;
}

const transport: Transport = async ({ method, url, headers, body }) => {
  const sent = body === undefined ? null : (files.get(body) ?? body);
  const answer = await fetch(url, { method, headers, body: sent, credentials: "omit", cache: "no-store" });
  return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
};

export { NoAnswer };
