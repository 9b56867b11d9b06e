import { describe, expectTypeOf, it } from "vitest";
import { Refusal, createClient, type CodeOf, type PathOf, type Schema } from "../src/index";

const client = createClient();

describe("paths", () => {
  it("are those of the document, by verb", () => {
    expectTypeOf<"/v1/cart">().toExtend<PathOf<"get">>();
    // @ts-expect-error: nobody deletes a search
    void client.delete("/v1/search");
    // @ts-expect-error: misspelled
    void client.get("/v1/prodcuts");
    // @ts-expect-error: providers call this, nobody else
    void client.post("/v1/webhooks/payments/{provider}", {});
  });

  it("want what stands in them", () => {
    void client.get("/v1/orders/{order_id}", { path: { order_id: "ord_1" } });
    // @ts-expect-error: without it
    void client.get("/v1/orders/{order_id}");
    // @ts-expect-error: another name
    void client.get("/v1/orders/{order_id}", { path: { id: "ord_1" } });
    // @ts-expect-error: none stands here
    void client.get("/v1/cart", { path: { id: "x" } });
  });
});

describe("queries", () => {
  it("have the document's names and types", () => {
    void client.get("/v1/search", { query: { q: "tea", limit: 3 } });
    void client.get("/v1/products");
    // @ts-expect-error: q is needed
    void client.get("/v1/search", { query: { limit: 3 } });
    // @ts-expect-error: that is a number
    void client.get("/v1/search", { query: { q: "tea", limit: "3" } });
    // @ts-expect-error: no such field
    void client.get("/v1/products", { query: { page: 2 } });
    // @ts-expect-error: no such order
    void client.get("/v1/products", { query: { sort: "cheapest" } });
  });
});

describe("bodies and keys", () => {
  it("are wanted where the document wants them", () => {
    void client.put("/v1/cart/lines/{sku_id}", { path: { sku_id: "sku_1" }, body: { quantity: 1 } });
    // @ts-expect-error: there is no body
    void client.put("/v1/cart/lines/{sku_id}", { path: { sku_id: "sku_1" } });
    // @ts-expect-error: that is a number
    void client.put("/v1/cart/lines/{sku_id}", { path: { sku_id: "sku_1" }, body: { quantity: "1" } });
    // @ts-expect-error: unknown fields are refused
    void client.put("/v1/cart/lines/{sku_id}", { path: { sku_id: "sku_1" }, body: { quantity: 1, gift: true } });
    // @ts-expect-error: a receipt is confirmed once, under a key
    void client.post("/v1/orders/{order_id}/confirm", { path: { order_id: "ord_1" }, body: {} });
    void client.post("/v1/orders/{order_id}/confirm", { path: { order_id: "ord_1" }, body: {}, key: client.intents.key() });
    // @ts-expect-error: reading takes none
    void client.get("/v1/cart", { key: "k" });
    void client.post("/v1/merchant/imports/file", { body: "title\n", key: "k-12345678", query: { default_category: "tea" } });
  });

  it("may need a version", () => {
    // @ts-expect-error: which version is changed?
    void client.patch("/v1/merchant/products/{product_id}", { path: { product_id: "prd_1" }, body: {} });
    void client.patch("/v1/merchant/products/{product_id}", {
      path: { product_id: "prd_1" },
      headers: { "If-Match": '"1"' },
      body: {},
    });
  });
});

describe("answers", () => {
  it("are the document's", () => {
    expectTypeOf(client.get("/v1/cart")).resolves.toEqualTypeOf<Schema<"CartView">>();
    expectTypeOf(client.delete("/v1/me/addresses/{address_id}", { path: { address_id: "adr_1" } })).resolves.toBeUndefined();
    expectTypeOf(client.whole("get", "/v1/me")).resolves.toHaveProperty("etag");
    expectTypeOf<Schema<"PurchaseView">["purchase_id"]>().toBeString();
  });

  it("are refused with codes that the document knows", () => {
    expectTypeOf<"cart_full">().toExtend<CodeOf<"patch", "/v1/cart">>();
    expectTypeOf<"already_paid">().not.toExtend<CodeOf<"patch", "/v1/cart">>();
    const refused = new Refusal({ type: "", title: "", status: 409, code: "busy", detail: "", request_id: "" });
    refused.is("busy");
    // @ts-expect-error: no such code
    refused.is("bsuy");
  });
});
