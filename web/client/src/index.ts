export { createClient, type Client, type Settings, type Whole } from "./client";
export type { components, paths } from "./generated/api";
export type { Code } from "./generated/codes";
export { digitsOf, formatMoney, parseMoney, plainAmount, type Money } from "./money";
export { knowsPasskeys, makePasskey, NoPasskey, signWithPasskey } from "./passkeys";
export type { MadeCredential, PasskeyOptions, SignedCredential } from "./passkeys";
export { NoAnswer, Refusal, type Problem } from "./problems";
export { browserLock, browserStorage, memoryStorage, ownRandom, pageLock } from "./surroundings";
export type { Lock, Random, Storage } from "./surroundings";
export { fetchTransport, miniTransport } from "./transport";
export type { MiniRequest, Transport, WireRequest, WireResponse } from "./transport";
export type { Answer, CodeOf, Options, PathOf } from "./types";

import type { components } from "./generated/api";

/** A schema of the document by its name: `Schema<"ProductView">`. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];
