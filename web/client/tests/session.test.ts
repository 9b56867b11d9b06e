import { describe, expect, it } from "vitest";
import { memoryStorage, pageLock } from "../src/index";
import { clientOf, problem, scripted, tokens } from "./support";

const bearer = (asked: { headers: Record<string, string> }[]) => asked.map(({ headers }) => headers["Authorization"]);

describe("tokens", () => {
  it("go with each call while they count", async () => {
    const { transport, asked } = scripted({}, {});
    const { client } = clientOf(transport);
    await client.get("/v1/cart");
    client.session.keep(tokens("a"));
    await client.get("/v1/cart");
    expect(client.session.account()).toBe("acc_1");
    expect(bearer(asked)).toEqual([undefined, "Bearer access-a"]);
  });

  it("are exchanged before they run out, with the device's own token", async () => {
    let now = 0;
    const { transport, asked } = scripted({ text: JSON.stringify(tokens("b")) }, {});
    const { client } = clientOf(transport, { now: () => now });
    client.session.keep({ ...tokens("a"), device_token: "dev" });
    now = 571_000;
    await client.get("/v1/cart");
    expect(JSON.parse(asked[0]?.body ?? "")).toEqual({ refresh_token: "refresh-a", device_token: "dev" });
    expect(bearer(asked)).toEqual([undefined, "Bearer access-b"]);
  });

  it("are exchanged when one is refused, and the call is sent again with its key", async () => {
    const { transport, asked } = scripted(problem(401, "unauthenticated"), { text: JSON.stringify(tokens("b")) }, {});
    const { client } = clientOf(transport);
    client.session.keep(tokens("a"));
    await client.post("/v1/purchases/{purchase_id}/cancel", { path: { purchase_id: "pur_1" }, key: "k-12345678" } as never);
    expect(bearer(asked)).toEqual(["Bearer access-a", undefined, "Bearer access-b"]);
    expect(asked[2]?.headers["Idempotency-Key"]).toBe(asked[0]?.headers["Idempotency-Key"]);
  });

  it("are exchanged once for all calls of all tabs", async () => {
    const storage = memoryStorage();
    const lock = pageLock(); // As the browser's own: one for all tabs.
    const refreshes: string[] = [];
    const transport = ({ url, body, headers }: { url: string; body?: string; headers: Record<string, string> }) => {
      if (url === "/v1/auth/refresh") {
        refreshes.push(body ?? "");
        return Promise.resolve({ status: 200, headers: {}, text: JSON.stringify(tokens("b")) });
      }
      const good = headers["Authorization"] === "Bearer access-b";
      return Promise.resolve(good ? { status: 200, headers: {}, text: "{}" } : problem(401, "unauthenticated"));
    };
    const tabs = [1, 2, 3].map(() => clientOf(transport, { storage, lock }).client);
    tabs[0]?.session.keep(tokens("a"));
    await Promise.all(tabs.flatMap((tab) => [tab.get("/v1/cart"), tab.get("/v1/me")]));
    expect(refreshes).toHaveLength(1);
  });

  it("are forgotten when the session has ended, and somebody is told", async () => {
    let told = 0;
    const { transport } = scripted(problem(401, "unauthenticated"), problem(401, "bad_refresh_token"));
    const { client } = clientOf(transport, { signedOut: () => (told += 1) });
    client.session.keep({ ...tokens("a"), device_token: "dev" });
    await expect(client.get("/v1/me")).rejects.toMatchObject({ code: "bad_refresh_token" });
    expect([told, client.session.account(), client.session.device()]).toEqual([1, undefined, "dev"]);
  });

  it("are kept when the exchange has no answer", async () => {
    const down = new Error("down");
    const { transport } = scripted(problem(401, "unauthenticated"), down, down, down, down);
    const { client } = clientOf(transport);
    client.session.keep(tokens("a"));
    await expect(client.get("/v1/me")).rejects.toMatchObject({ name: "NoAnswer" });
    expect(client.session.account()).toBe("acc_1");
  });

  it("are not exchanged for a fresh proof that is wanted; the proof's own takes their place", async () => {
    const wanted = problem(401, "fresh_proof_needed", {}, { within_s: 300, methods: ["password"] });
    const { transport, asked } = scripted(wanted, {});
    const { client } = clientOf(transport);
    client.session.keep(tokens("a"));
    await expect(client.get("/v1/me")).rejects.toMatchObject({ code: "fresh_proof_needed", problem: { methods: ["password"] } });
    client.session.proved({ access_token: "access-proved", expires_in: 600 });
    await client.get("/v1/me");
    expect(bearer(asked)).toEqual(["Bearer access-a", "Bearer access-proved"]);
  });

  it("are as good as none where the storage holds something else", async () => {
    const storage = memoryStorage();
    storage.set("biandan.tokens", "}");
    const { transport, asked } = scripted({});
    await clientOf(transport, { storage }).client.get("/v1/cart");
    expect(bearer(asked)).toEqual([undefined]);
  });
});

describe("one page's lock", () => {
  it("lets one work at a time, also after one that failed", async () => {
    const lock = pageLock();
    const steps: string[] = [];
    const work = (name: string, fails: boolean) => async () => {
      steps.push(`${name} begins`);
      await Promise.resolve();
      steps.push(`${name} ends`);
      if (fails) throw new Error(name);
    };
    const both = await Promise.allSettled([lock("x", work("a", true)), lock("x", work("b", false))]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(steps).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  });
});
