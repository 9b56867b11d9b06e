/** The one client of this app: by `uni.request`, which pages and mini programs share, with what the device keeps. */
import { ref } from "vue";
import { browserLock, createClient, miniTransport, NoAnswer, pageLock, Refusal, type Lock, type MiniRequest } from "../../../client/src/index.js";
import { apiLanguage } from "../texts/locale";
import { BASE } from "./address";
import type { Tokens } from "./types";

export { NoAnswer, Refusal };

const transport = miniTransport(((options) => uni.request(options)) as MiniRequest);

let lock: Lock = pageLock();
// #ifdef H5
lock = browserLock();
// #endif

export const signedIn = ref(false);

export const api = createClient({
  baseUrl: BASE,
  transport,
  lock,
  storage: {
    get: (name) => (uni.getStorageSync(name) as string) || undefined,
    set: (name, value) => uni.setStorageSync(name, value),
    remove: (name) => uni.removeStorageSync(name),
  },
  language: () => apiLanguage.value,
  signedOut: () => {
    signedIn.value = false;
  },
});

signedIn.value = api.session.account() !== undefined;

/** Keep what a sign-in answered. */
export function keep(tokens: Tokens): void {
  api.session.keep(tokens);
  signedIn.value = true;
}

export function forget(): void {
  api.session.forget();
  signedIn.value = false;
}

const PATIENCE_MS = 15_000;

/** Read a published file; undefined where there is none. */
export async function peek(path: string): Promise<unknown> {
  const answer = await transport({ method: "GET", url: BASE + path, headers: {}, timeoutMs: PATIENCE_MS });
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw new NoAnswer(`status ${answer.status}`, answer.status);
  return JSON.parse(answer.text) as unknown;
}
