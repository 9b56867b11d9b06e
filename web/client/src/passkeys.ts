// Passkeys (WebAuthn): the API's options as a browser takes them, and what it answers as the API takes it. Browsers that
// are in use still lack `parseRequestOptionsFromJSON` and `toJSON`, so bytes are read and written here.

import type { components } from "./generated/api";

type Schemas = components["schemas"];
/** What `public_key` of an answer holds. */
export type PasskeyOptions = Schemas["PasskeyBegunView"]["public_key"];
export type MadeCredential = Schemas["MadeCredential"];
export type SignedCredential = Schemas["SignedCredential"];

interface Descriptor {
  id: string;
}
interface Answered {
  rawId: ArrayBuffer;
  response: {
    clientDataJSON: ArrayBuffer;
    attestationObject: ArrayBuffer;
    authenticatorData: ArrayBuffer;
    signature: ArrayBuffer;
    userHandle: ArrayBuffer | null;
    getTransports?(): string[];
  };
}

declare const PublicKeyCredential: unknown;
declare const navigator: {
  credentials: Record<"create" | "get", (options: { publicKey: object }) => Promise<unknown>>;
};
declare function atob(text: string): string;
declare function btoa(text: string): string;

/**
 * Nothing was made or signed. `left`: its person, or their device, did not finish it; `known`: this device holds one of
 * the account already; `elsewhere`: this page's address is none that passkeys are bound to.
 */
export class NoPasskey extends Error {
  override readonly name = "NoPasskey";

  constructor(readonly why: "left" | "known" | "elsewhere") {
    super(why);
  }
}

/** Say whether this browser knows passkeys. Mini programs, and pages without TLS, do not. */
export function knowsPasskeys(): boolean {
  return typeof PublicKeyCredential !== "undefined";
}

/** Let the person's device make a passkey. Throws `NoPasskey`. */
export async function makePasskey(options: PasskeyOptions): Promise<MadeCredential> {
  const user = options["user"] as Descriptor;
  const known = (options["excludeCredentials"] ?? []) as Descriptor[];
  const publicKey = { ...asked(options), user: { ...user, id: bytesOf(user.id) }, excludeCredentials: known.map(described) };
  const { rawId, response } = await answered("create", publicKey);
  return {
    id: textOf(rawId),
    client_data: textOf(response.clientDataJSON),
    attestation: textOf(response.attestationObject),
    transports: response.getTransports?.() ?? [],
  };
}

/** Let one of the person's passkeys sign. Throws `NoPasskey`. */
export async function signWithPasskey(options: PasskeyOptions): Promise<SignedCredential> {
  const may = (options["allowCredentials"] ?? []) as Descriptor[];
  const { rawId, response } = await answered("get", { ...asked(options), allowCredentials: may.map(described) });
  return {
    id: textOf(rawId),
    client_data: textOf(response.clientDataJSON),
    authenticator_data: textOf(response.authenticatorData),
    signature: textOf(response.signature),
    user_handle: response.userHandle ? textOf(response.userHandle) : null,
  };
}

const asked = (options: PasskeyOptions): object => ({ ...options, challenge: bytesOf(String(options["challenge"])) });
const described = (one: Descriptor): object => ({ ...one, id: bytesOf(one.id) });

async function answered(what: "create" | "get", publicKey: object): Promise<Answered> {
  let answer: unknown;
  try {
    answer = await navigator.credentials[what]({ publicKey });
  } catch (error) {
    const name = (error as Error).name;
    throw new NoPasskey(name === "SecurityError" ? "elsewhere" : name === "InvalidStateError" ? "known" : "left");
  }
  if (!answer) throw new NoPasskey("left");
  return answer as Answered;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
}

function textOf(bytes: ArrayBuffer): string {
  const letters = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
