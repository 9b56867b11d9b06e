import { afterEach, describe, expect, it, vi } from "vitest";
import { knowsPasskeys, makePasskey, NoPasskey, signWithPasskey } from "../src/index";

const bytes = (...all: number[]): ArrayBuffer => Uint8Array.from(all).buffer;
const ODD = bytes(251, 255, 190, 1);
const ODD_TEXT = "-_--AQ";

/** Be a browser with a device that answers so; returns what it was asked. */
function browser(answer: () => unknown): { publicKey: Record<string, unknown> }[] {
  const asked: { publicKey: Record<string, unknown> }[] = [];
  const credential = (options: { publicKey: Record<string, unknown> }): Promise<unknown> => {
    asked.push(options);
    return Promise.resolve().then(answer);
  };
  vi.stubGlobal("PublicKeyCredential", {});
  vi.stubGlobal("navigator", { credentials: { create: credential, get: credential } });
  return asked;
}

function failing(name: string): () => never {
  return () => {
    throw Object.assign(new Error("no"), { name });
  };
}

afterEach(() => vi.unstubAllGlobals());

describe("passkeys", () => {
  it("are unknown where there is no browser", () => expect(knowsPasskeys()).toBe(false));

  it("are made from the API's options, whose texts become bytes, and told in texts", async () => {
    const asked = browser(() => ({ rawId: ODD, response: { clientDataJSON: bytes(1), attestationObject: bytes(2, 3), getTransports: () => ["internal"] } }));
    expect(knowsPasskeys()).toBe(true);
    const made = await makePasskey({ rp: { id: "localhost" }, challenge: ODD_TEXT, user: { id: "AQI", name: "mei" }, excludeCredentials: [{ type: "public-key", id: "Aw" }] });
    expect(asked[0]?.publicKey).toEqual({
      rp: { id: "localhost" },
      challenge: new Uint8Array(ODD),
      user: { id: Uint8Array.of(1, 2), name: "mei" },
      excludeCredentials: [{ type: "public-key", id: Uint8Array.of(3) }],
    });
    expect(made).toEqual({ id: ODD_TEXT, client_data: "AQ", attestation: "AgM", transports: ["internal"] });
  });

  it("sign, with or without saying whose they are", async () => {
    const response = { clientDataJSON: bytes(1), authenticatorData: bytes(2), signature: ODD, userHandle: null as ArrayBuffer | null };
    const asked = browser(() => ({ rawId: bytes(9), response }));
    const signed = { id: "CQ", client_data: "AQ", authenticator_data: "Ag", signature: ODD_TEXT };
    expect(await signWithPasskey({ challenge: "AQ", rpId: "localhost" })).toEqual({ ...signed, user_handle: null });
    expect(asked[0]?.publicKey).toEqual({ challenge: Uint8Array.of(1), rpId: "localhost", allowCredentials: [] });
    response.userHandle = bytes(7);
    expect((await signWithPasskey({ challenge: "AQ" })).user_handle).toBe("Bw");
  });

  it.each([
    ["NotAllowedError", "left"],
    ["AbortError", "left"],
    ["InvalidStateError", "known"],
    ["SecurityError", "elsewhere"],
  ])("say what %s means to a person", async (name, why) => {
    browser(failing(name));
    const error: unknown = await signWithPasskey({ challenge: "AQ" }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(NoPasskey);
    expect((error as NoPasskey).why).toBe(why);
  });

  it("are not made where a browser answers nothing", async () => {
    browser(() => null);
    await expect(signWithPasskey({ challenge: "AQ" })).rejects.toMatchObject({ why: "left" });
  });
});
