import { describe, expect, it } from "vitest";
import { NoAnswer, Refusal, memoryStorage } from "../src/index";
import { clientOf, problem, scripted } from "./support";

const UNANSWERED = new Error("network is down");

describe("what is sent", () => {
  it("puts paths and queries into the address, encoded, and leaves out what is not said", async () => {
    const { transport, asked } = scripted({}, {});
    const { client } = clientOf(transport, { baseUrl: "https://shop.example" });
    await client.get("/v1/search", { query: { q: "茶 & cup", limit: 3 } });
    await client.get("/v1/products/{product_id}", { path: { product_id: "a/b?c" } });
    expect(asked.map(({ url }) => url)).toEqual([
      "https://shop.example/v1/search?q=%E8%8C%B6%20%26%20cup&limit=3",
      "https://shop.example/v1/products/a%2Fb%3Fc",
    ]);
  });

  it("says the language, JSON, and a file's own type", async () => {
    const { transport, asked } = scripted({}, {});
    const { client } = clientOf(transport, { language: () => "zh-CN", headers: () => ({ "X-Merchant-Id": "mer_1" }) });
    await client.post("/v1/quotes", { body: { method: "sandbox" } as never });
    await client.post("/v1/merchant/imports/file", { body: "title\n茶", key: "k-12345678" } as never);
    expect(asked[0]?.headers).toMatchObject({ "Accept-Language": "zh-CN", "Content-Type": "application/json" });
    expect(asked[1]).toMatchObject({ body: "title\n茶", headers: { "Content-Type": "text/csv", "X-Merchant-Id": "mer_1" } });
  });

  it("refuses to call an address with a hole in it", async () => {
    const { transport, asked } = scripted();
    await expect(clientOf(transport).client.get("/v1/orders/{order_id}", { path: { order_id: "" } })).rejects.toThrow("order_id");
    expect(asked).toEqual([]);
  });

  it("gives what the headers say with the answer", async () => {
    const { transport } = scripted({ status: 201, headers: { etag: '"3"', "idempotency-replayed": "true" }, text: '{"a":1}' });
    const whole = await clientOf(transport).client.whole("get", "/v1/me");
    expect(whole).toMatchObject({ status: 201, etag: '"3"', replayed: true, data: { a: 1 } });
  });

  it("keeps a guest's cart and sends it with carts and quotes, and with nothing else", async () => {
    const { transport, asked } = scripted({ text: '{"lines":[],"version":1,"cart_token":"ct"}' }, {}, {}, {});
    const { client } = clientOf(transport);
    await client.post("/v1/cart/merge", { body: { cart_token: "x" } } as never);
    expect(client.cart.token()).toBe("ct");
    await client.get("/v1/cart");
    await client.get("/v1/categories");
    client.cart.forget();
    await client.get("/v1/cart");
    expect(asked.map(({ headers }) => headers["X-Cart-Token"])).toEqual([undefined, "ct", undefined, undefined]);
  });
});

describe("what is thrown", () => {
  it("is the problem as the API says it", async () => {
    const { transport } = scripted(problem(409, "cart_full", {}, { sku_ids: ["sku_1"] }));
    const error: unknown = await clientOf(transport).client.get("/v1/cart").catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Refusal);
    const refused = error as Refusal;
    expect(refused).toMatchObject({ status: 409, code: "cart_full", requestId: "req_1", message: "why cart_full" });
    expect(refused.is("cart_full")).toBe(true);
    expect(refused.is("busy", "not_found")).toBe(false);
    expect(refused.problem["sku_ids"]).toEqual(["sku_1"]);
  });

  it("is no answer where something else answers", async () => {
    const page = { status: 403, text: "<html>" };
    await expect(clientOf(scripted(page).transport).client.get("/v1/cart")).rejects.toMatchObject({ name: "NoAnswer", status: 403 });
    await expect(clientOf(scripted({ text: "<html>" }).transport).client.get("/v1/cart")).rejects.toBeInstanceOf(NoAnswer);
    await expect(clientOf(scripted({ status: 404, text: "[1]" }).transport).client.get("/v1/cart")).rejects.toBeInstanceOf(NoAnswer);
  });

  it("comes in time when nothing does", async () => {
    const { client } = clientOf(() => new Promise(() => undefined));
    await expect(client.get("/v1/cart", { timeoutMs: 5, tries: 1 })).rejects.toThrow("no answer within 5 ms");
  });
});

describe("what is repeated", () => {
  const busy = problem(503, "busy");

  it("sends one key with every try of an intent", async () => {
    const { transport, asked } = scripted(UNANSWERED, busy, problem(429, "too_many"), { status: 201 });
    const { client, waits } = clientOf(transport);
    await client.post("/v1/purchases/{purchase_id}/cancel", { path: { purchase_id: "pur_1" }, key: client.intents.key() } as never);
    expect(asked).toHaveLength(4);
    expect(new Set(asked.map(({ headers }) => headers["Idempotency-Key"])).size).toBe(1);
    expect(asked[0]?.headers["Idempotency-Key"]).toMatch(/^[A-Za-z0-9_\-:.]{8,64}$/);
    expect(waits).toHaveLength(3);
    expect(waits[1]).toBeGreaterThanOrEqual(300);
    expect(waits[2]).toBeGreaterThan(waits[0] ?? Infinity);
  });

  it("never repeats a POST without a key that may have been heard", async () => {
    for (const lost of [UNANSWERED, busy]) {
      const { transport, asked } = scripted(lost, {});
      await expect(clientOf(transport).client.post("/v1/auth/codes", { body: {} } as never)).rejects.toThrow();
      expect(asked).toHaveLength(1);
    }
  });

  it("never repeats a change of one version that may have been heard, but any other change", async () => {
    const changing = scripted(UNANSWERED, {});
    const options = { path: { product_id: "prd_1" }, headers: { "If-Match": '"1"' }, body: {} };
    await expect(clientOf(changing.transport).client.patch("/v1/merchant/products/{product_id}", options as never)).rejects.toThrow();
    expect(changing.asked).toHaveLength(1);
    const setting = scripted(UNANSWERED, {});
    await clientOf(setting.transport).client.put("/v1/cart/lines/{sku_id}", { path: { sku_id: "sku_1" }, body: { quantity: 2 } });
    expect(setting.asked).toHaveLength(2);
  });

  it("asks again after a refusal of too much, key or not, when it is told to", async () => {
    const { transport, asked } = scripted(problem(429, "too_many", { "retry-after": "2" }), {});
    const { client, waits } = clientOf(transport);
    await client.post("/v1/auth/codes", { body: {} } as never);
    expect([asked.length, waits]).toEqual([2, [2000]]);
  });

  it("does not send again as it was what wants work first", async () => {
    const { transport, asked } = scripted(problem(429, "challenge_needed"), {});
    await expect(clientOf(transport).client.post("/v1/auth/codes", { body: {}, key: "k-12345678" } as never)).rejects.toMatchObject({ code: "challenge_needed" });
    expect(asked).toHaveLength(1);
  });

  it("does not let a person wait for minutes", async () => {
    const { transport, asked } = scripted(problem(429, "too_many", { "retry-after": "600" }), {});
    await expect(clientOf(transport).client.get("/v1/cart")).rejects.toMatchObject({ retryAfterS: 600 });
    expect(asked).toHaveLength(1);
  });

  it("gives up after four tries, or as many as are said, and never repeats a refusal", async () => {
    for (const [tries, answers] of [[4, [busy, busy, busy, busy]], [2, [busy, busy]]] as const) {
      const { transport, asked } = scripted(...answers);
      await expect(clientOf(transport).client.get("/v1/cart", { tries })).rejects.toMatchObject({ code: "busy" });
      expect(asked).toHaveLength(tries);
    }
    const { transport, asked } = scripted(problem(404, "not_found"), {});
    await expect(clientOf(transport).client.get("/v1/cart")).rejects.toThrow();
    expect(asked).toHaveLength(1);
  });
});

describe("a named intent", () => {
  it("keeps its key over pages until it is done", () => {
    const storage = memoryStorage();
    const before = clientOf(scripted().transport, { storage }).client.intents.key("pay:pur_1");
    const { intents } = clientOf(scripted().transport, { storage }).client;
    expect(intents.key("pay:pur_1")).toBe(before);
    expect(intents.key("pay:pur_2")).not.toBe(before);
    intents.done("pay:pur_1");
    expect(intents.key("pay:pur_1")).not.toBe(before);
  });

  it("takes its chance from where it is told", () => {
    const { intents } = clientOf(scripted().transport, { now: () => 36, random: (count) => Array<number>(count).fill(10) }).client;
    expect(intents.key()).toBe("10-aaaaaaaaaaaaaaaaaaaa");
  });
});
