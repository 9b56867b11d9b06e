/** Signing in: by QQ's page, by a mini program's code, by a code to a phone, by a password. */
import { beginPasskeyProof, beginPasskeySignIn, beginWeb, completeWeb, proveByPasskey, secondStep, sendCode, signIn, signInByCode, signInByMini, signInByPasskey } from "../api/calls";
import { signWithPasskey, type PasskeyOptions } from "../../../client/src/index.js";
import { api, keep, Refusal } from "../api/client";
import type { Tokens } from "../api/types";
import { pour } from "./cart";
import { solve } from "./challenge";
import { ascii, base64url, sha256 } from "./sha256";

/** A sign-in whose first step was right and that waits for an authenticator app's code, or for a passkey. */
export class SecondStep extends Error {
  readonly challenge: string;
  /** What a passkey is to sign, where the account has one. */
  readonly passkey: PasskeyOptions | undefined;

  constructor({ problem }: Refusal) {
    super("second step");
    this.challenge = String(problem["challenge"]);
    this.passkey = problem["public_key"] as PasskeyOptions | undefined;
  }
}

/** The mini program's platform by the API's name; undefined on a page. */
export function platform(): "qq_mini" | "wechat_mini" | undefined {
  let found: "qq_mini" | "wechat_mini" | undefined;
  // #ifdef MP-QQ
  found = "qq_mini";
  // #endif
  // #ifdef MP-WEIXIN
  found = "wechat_mini";
  // #endif
  return found;
}

async function enter(asked: Promise<Tokens>): Promise<void> {
  try {
    keep(await asked);
  } catch (error) {
    if (error instanceof Refusal && error.is("second_factor_needed")) throw new SecondStep(error);
    throw error;
  }
  await pour();
}

export const byCode = (shown: { contact: string; code_id: string; code: string }): Promise<void> => enter(signInByCode(shown));

export const bySecondStep = (challenge: string, code: string): Promise<void> =>
  enter(secondStep(/^\d{6}$/.test(code) ? { challenge, code } : { challenge, recovery_code: code }));

/** What solves a challenge of the API. */
export type Solution = Awaited<ReturnType<typeof solve>>;

/** Ask; where the API wants a piece of work first, do it and ask again, once. `working` is told that it has begun. */
export async function withWork<T>(ask: (solution?: Solution) => Promise<T>, working: () => void): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof Refusal && error.is("challenge_needed"))) throw error;
    working();
    return ask(await solve(String(error.problem["challenge"]), Number(error.problem["bits"])));
  }
}

/** Sign in by a password; a name under attack costs a piece of work first. */
export const byPassword = (identity: string, password: string, working: () => void): Promise<void> =>
  withWork((solution) => enter(signIn({ identity, password, ...(solution ? { solution } : {}) })), working);

/** A code of the mini program's platform, good for one question. */
export function platformCode(): Promise<string> {
  return new Promise((done, failed) => {
    uni.login({ success: ({ code }) => (code ? done(code) : failed(new Error("no code"))), fail: (why) => failed(new Error(why.errMsg)) });
  });
}

const PAYER = "bd.payer";

export async function byMini(): Promise<void> {
  const tokens = await signInByMini(platform()!, await platformCode()).catch(secondOr);
  uni.setStorageSync(PAYER, tokens.payer);
  await enter(Promise.resolve(tokens));
}

function secondOr(error: unknown): never {
  if (error instanceof Refusal && error.is("second_factor_needed")) throw new SecondStep(error);
  throw error;
}

/** Who pays, by the name that the payment's provider knows: told by the last sign-in here. */
export const payer = (): string | undefined => (uni.getStorageSync(PAYER) as string) || undefined;

// #ifdef H5
/** Sign in by a passkey: nobody says who they are, it does. */
export async function byPasskey(): Promise<void> {
  const { challenge, public_key } = await beginPasskeySignIn();
  await enter(signInByPasskey({ challenge, credential: await signWithPasskey(public_key) }));
}

export async function bySecondPasskey({ challenge, passkey }: SecondStep): Promise<void> {
  await enter(secondStep({ challenge, credential: await signWithPasskey(passkey!) }));
}

/** Prove by a passkey that it is still the same person. */
export async function provedByPasskey(): Promise<{ access_token: string; expires_in: number }> {
  const { challenge, public_key } = await beginPasskeyProof();
  return proveByPasskey({ challenge, credential: await signWithPasskey(public_key) });
}

const BEGUN = "bd.begun.";

/** The page that QQ comes back to: the shop's own, without what the app keeps behind `#`. */
export const home = (): string => location.origin + location.pathname;

/** Go to QQ's page. What came of it is read when the browser is back. */
export async function beginQq(then: string): Promise<void> {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const challenge = base64url(sha256(ascii(verifier)));
  const small = window.innerWidth < 700;
  const { url, state } = await beginWeb("qq", { return_url: home(), challenge, small });
  sessionStorage.setItem(BEGUN + state, JSON.stringify({ verifier, then }));
  location.assign(url);
}

export interface Returned {
  state: string;
  code?: string;
  usercancel?: string;
}

let returned: Returned | undefined;

/** Take what QQ's page put into the address out of it: a code does not stay where others may read it. */
export function takeReturned(): boolean {
  const said: Record<string, string> = {};
  for (const part of location.search.slice(1).split("&")) {
    const [name, value] = part.split("=");
    if (name) said[name] = decodeURIComponent(value ?? "");
  }
  if (said.state === undefined || (said.code === undefined && said.usercancel === undefined)) return false;
  returned = { state: said.state, ...(said.code ? { code: said.code } : {}), ...(said.usercancel ? { usercancel: said.usercancel } : {}) };
  history.replaceState(history.state, "", location.pathname + location.hash);
  return true;
}

/** Finish what `beginQq` began; return where the person wanted to go. Undefined if it was not begun in this tab. */
export async function finishQq(): Promise<string | undefined> {
  const came = returned;
  returned = undefined;
  if (came === undefined) return undefined;
  const kept = sessionStorage.getItem(BEGUN + came.state);
  sessionStorage.removeItem(BEGUN + came.state);
  if (kept === null) return undefined;
  const { verifier, then } = JSON.parse(kept) as { verifier: string; then: string };
  await enter(completeWeb("qq", { ...came, verifier, return_url: home() }));
  return then;
}
// #endif

/**
 * Have a code sent; beyond what is free that costs a piece of work. The key is the same while one goes on pressing for one
 * contact, so that one message goes out.
 */
export async function askCode(contact: string, purpose: "sign_in" | "prove" | "verify", working: () => void): Promise<{ code_id: string; resend_in: number }> {
  const name = `code:${purpose}:${contact}`;
  const sent = await withWork((solution) => sendCode({ contact, purpose, ...(solution ? { solution } : {}) }, api.intents.key(name)), working);
  api.intents.done(name);
  return sent;
}
