import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Cart, CartLine, Category, Product, Provider, Quote } from "../../src/api/types";
import { orderable, piles, sums, withDetails } from "../../src/shop/cart";
import { solve, zeroBits } from "../../src/shop/challenge";
import { withWork, type Solution } from "../../src/shop/entry";
import { Refusal } from "../../src/api/client";
import { differences, short } from "../../src/shop/difference";
import { typeOf } from "../../src/shop/evidence";
import { suggest } from "../../src/shop/finding";
import { someLooks, unnamed } from "../../src/shop/looks";
import { axes, choose, firstSku, skuOf } from "../../src/shop/options";
import { answers } from "../../src/shop/orders";
import { ways } from "../../src/shop/paying";
import { ascii, base64url, sha256 } from "../../src/shop/sha256";
import { shardOf } from "../../src/shop/shelves";
import { left, leftInWords } from "../../src/shop/times";
import { target, told } from "../../src/shop/ways";

const yuan = (minor: number) => ({ minor, currency: "CNY" });
const sku = (id: string, options: string[], soldOut = false) => ({ sku_id: id, options, price: yuan(100), weight_g: 0, sold_out: soldOut });
const tea = { options: ["size", "box"], skus: [sku("a", ["S", "tin"], true), sku("b", ["S", "bag"]), sku("c", ["L", "bag"])] } as unknown as Product;

describe("options", () => {
  it("begin with what can be had", () => expect(firstSku(tea)?.sku_id).toBe("b"));
  it("mean a SKU, or none", () => {
    expect(skuOf(tea, ["L", "bag"])?.sku_id).toBe("c");
    expect(skuOf(tea, ["L", "tin"])).toBeUndefined();
  });
  it("say which values lead to nothing that can be had", () =>
    expect(axes(tea, ["S", "bag"])).toEqual([
      { name: "size", values: [{ value: "S", off: false }, { value: "L", off: false }] },
      { name: "box", values: [{ value: "tin", off: true }, { value: "bag", off: false }] },
    ]));
  it("go to a combination that exists", () => {
    expect(choose(tea, ["L", "bag"], 1, "tin")).toEqual(["S", "tin"]);
    expect(choose(tea, ["S", "bag"], 0, "L")).toEqual(["L", "bag"]);
    expect(choose(tea, ["S", "bag"], 0, "XL")).toEqual(["S", "bag"]);
  });
});

const line = (id: string, merchant: string | undefined, more: Partial<CartLine> = {}): CartLine => ({ sku_id: id, quantity: 2, ...(merchant ? { merchant_id: merchant, price: yuan(150), available: true } : { available: false }), ...more });

describe("the cart", () => {
  it("stands merchant by merchant, what is gone last", () =>
    expect(piles([line("x", undefined), line("a", "m1"), line("b", "m2"), line("c", "m1")]).map((pile) => [pile.merchantId, pile.lines.map((each) => each.sku_id)])).toEqual([
      ["m1", ["a", "c"]],
      ["m2", ["b"]],
      ["", ["x"]],
    ]));
  it("sums what is chosen and can be ordered, each currency for itself", () => {
    const lines = [line("a", "m1"), line("b", "m1", { price: { minor: 5, currency: "USD" } }), line("x", undefined), line("c", "m1")];
    expect(sums(lines, (id) => id !== "c")).toEqual([{ currency: "CNY", minor: 300 }, { currency: "USD", minor: 10 }]);
    expect(orderable(line("x", undefined))).toBe(false);
  });
  it("keeps what its lines are when a change is answered with numbers alone", () => {
    const before: Cart = { lines: [line("a", "m1", { title: "Tea" }), line("b", "m1")], version: 1 };
    const told: Cart = { lines: [{ sku_id: "a", quantity: 5 }, { sku_id: "n", quantity: 1 }], version: 2 };
    expect(withDetails(told, before).lines).toEqual([{ ...before.lines[0], quantity: 5 }, { sku_id: "n", quantity: 1 }]);
  });
});

const quote = (lines: [string, number, number, number?][], freight: number, total: number): Quote => ({
  quote: "q",
  expires_at: "2026-01-01T00:00:00Z",
  total: yuan(total),
  shares: [{ merchant_id: "m", merchant_name: "Shop", goods: yuan(0), freight: yuan(freight), total: yuan(total), lines: lines.map(([id, price, quantity, available]) => ({ sku_id: id, product_id: "p", title: id, options: [], quantity, unit_price: yuan(price), total: yuan(price * quantity), ...(available === undefined ? {} : { available }) })) }],
});

describe("the difference between two quotes", () => {
  it("is nothing where nothing changed", () => expect(differences(quote([["a", 100, 1]], 8, 108), quote([["a", 100, 1]], 8, 108))).toEqual([]));
  it("names prices, quantities, what is gone or new, freight and the total", () =>
    expect(differences(quote([["a", 100, 1], ["b", 50, 2], ["c", 9, 1]], 8, 217), quote([["a", 120, 1], ["b", 50, 1], ["d", 7, 1]], 0, 177))).toEqual([
      { what: "a", kind: "price", was: yuan(100), now: yuan(120) },
      { what: "b", kind: "quantity", was: "2", now: "1" },
      { what: "c", kind: "gone" },
      { what: "d", kind: "new", now: yuan(7) },
      { what: "Shop", kind: "freight", was: yuan(8), now: yuan(0) },
      { what: "", kind: "total", was: yuan(217), now: yuan(177) },
    ]));
  it("shows what is short", () => expect(short(quote([["a", 1, 3, 2], ["b", 1, 1, 5], ["c", 1, 1]], 0, 5))).toEqual([{ sku_id: "a", title: "a", available: 2 }]));
});

describe("ways to pay", () => {
  const method = (name: string, action: "redirect" | "qr" | "params", needs: string[] = []) => ({ method: name, title: name, titles: { zh: name, en: name }, action, needs });
  const provider = (name: string, methods: ReturnType<typeof method>[], testOnly = false): Provider => ({ provider: name, title: name, titles: { zh: name, en: name }, currencies: ["CNY"], methods, test_only: testOnly });
  const offered = [
    provider("sandbox", [method("page", "redirect"), method("qr", "qr")], true),
    provider("alipay", [method("qr", "qr"), method("page", "redirect"), method("wap", "redirect"), method("app", "params")]),
    provider("stripe", [method("checkout", "redirect", ["return_url"]), method("payment_intent", "params")]),
    provider("wechatpay", [method("native", "qr"), method("jsapi", "params", ["payer"]), method("mini", "params", ["payer"]), method("h5", "redirect"), method("app", "params")]),
    provider("qqwallet", [method("native", "qr"), method("jsapi", "params"), method("miniapp", "params")]),
    provider("unknown", [method("page", "redirect")]),
  ];
  const named = (on: "wide" | "phone" | "qq_mini" | "wechat_mini") => ways(offered, on).map((way) => `${way.provider}:${way.method}`);
  it("are those that the device can go, the usual ones first and tests last", () => {
    expect(named("wide")).toEqual(["wechatpay:native", "qqwallet:native", "alipay:qr", "alipay:page", "stripe:checkout", "sandbox:page", "sandbox:qr"]);
    expect(named("phone")).toEqual(["wechatpay:h5", "alipay:wap", "stripe:checkout", "sandbox:page"]);
    expect(named("qq_mini")).toEqual(["qqwallet:miniapp"]);
    expect(named("wechat_mini")).toEqual(["wechatpay:mini"]);
  });
});

describe("small things", () => {
  it.each([0, 1, 55, 56, 63, 64, 119, 120, 1000])("SHA-256 of %i bytes", (length) => {
    const message = Uint8Array.from({ length }, (_, at) => (at * 7) & 255);
    expect(Buffer.from(sha256(message)).toString("hex")).toBe(createHash("sha256").update(message).digest("hex"));
  });
  it.each([0, 1, 2, 3, 32])("base 64 for addresses of %i bytes", (length) => {
    const bytes = Uint8Array.from({ length }, (_, at) => 255 - at * 5);
    expect(base64url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
  });
  it("a challenge is solved", async () => {
    const { challenge, number } = await solve("name.network.time.tag", 12);
    expect(zeroBits(sha256(ascii(`${challenge}.${number}`)))).toBeGreaterThanOrEqual(12);
    expect([zeroBits(Uint8Array.of(0, 1)), zeroBits(Uint8Array.of(128)), zeroBits(Uint8Array.of(0, 0))]).toEqual([15, 0, 16]);
  });
  it("what costs work is asked for again with the work done, once", async () => {
    const refused = (code: string) => new Refusal({ code, status: 429, challenge: "a.b", bits: 6 } as never);
    const asked: (Solution | undefined)[] = [];
    const told: string[] = [];
    const ask = (solution?: Solution): Promise<string> => {
      asked.push(solution);
      return solution ? Promise.resolve("sent") : Promise.reject(refused("challenge_needed"));
    };
    expect(await withWork(ask, () => told.push("working"))).toBe("sent");
    expect([asked.length, asked[1]?.challenge, told]).toEqual([2, "a.b", ["working"]]);
    expect(zeroBits(sha256(ascii(`a.b.${asked[1]!.number}`)))).toBeGreaterThanOrEqual(6);
    await expect(withWork(() => Promise.reject(refused("challenge_needed")), () => told.push("again"))).rejects.toThrow(Refusal);
    await expect(withWork(() => Promise.reject(refused("too_many_requests")), () => told.push("never"))).rejects.toThrow(Refusal);
    expect(told).toEqual(["working", "again"]);
  });
  it("time left", () => {
    const now = Date.UTC(2026, 0, 1);
    expect(left("2026-01-03T03:04:05Z", now)).toEqual({ days: 2, hours: 3, minutes: 4, seconds: 5 });
    expect([left("2026-01-01T00:00:00Z", now), left("nonsense", now)]).toEqual([undefined, undefined]);
    expect(leftInWords("2026-01-01T00:01:05Z", now)).toBe("1:05");
  });
  it("a product's shard is the sum of its characters modulo 64", () => expect([shardOf("a"), shardOf("prd_rxpcg9d5mr8b87ydpt1fv149")]).toEqual(["products-33", `products-${String([..."prd_rxpcg9d5mr8b87ydpt1fv149"].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 64).padStart(2, "0")}`]));
  it("what is offered while somebody types", () => {
    const categories = [{ category_id: "tea", names: { zh: "茶叶", en: "Tea" } }] as Category[];
    expect(suggest("", ["cup", "tea"], categories)).toEqual({ words: ["cup", "tea"], categories: [] });
    expect(suggest("TE", ["cup", "tea pot"], categories)).toEqual({ words: ["tea pot"], categories });
    expect(suggest("茶", [], categories).categories).toHaveLength(1);
  });
  it("what a buyer may do about a complaint", () => {
    const it = { phase: "buyer", reopened: false, person: false, decisions: [] as unknown[] };
    const decided = { ...it, status: "dismissed", phase: "decided", appeal_until: "2026-12-07T04:00:00.000Z", decisions: [{}] };
    expect(answers({ ...it, status: "refund_offered" })).toEqual(["accept", "escalate", "withdraw", "person"]);
    expect(answers({ ...it, status: "buyer_asked", person: true })).toEqual(["statement", "withdraw"]);
    expect([answers({ ...it, status: "resolved" }), answers({ ...it, status: "resolved", reopened: true }), answers({ ...it, status: "withdrawn" })]).toEqual([["reopen"], [], []]);
    expect([answers(decided), answers({ ...decided, phase: "closed" }), answers({ ...decided, appeal_until: undefined })]).toEqual([["appeal"], [], []]);
  });
  it("looks are read on until there are some, and not for ever", async () => {
    const look = { at: "", to: "mer_1", what: [], record_id: "ord_1" };
    const asked: (string | undefined)[] = [];
    const pages = [{ items: [], next_cursor: "b" }, { items: [], next_cursor: "c" }, { items: [look], next_cursor: "d" }];
    const reading = (cursor: string | undefined) => Promise.resolve(pages[asked.push(cursor) - 1] ?? { items: [], next_cursor: "on" });
    expect(await someLooks(reading, "a")).toEqual(pages[2]);
    expect(asked).toEqual(["a", "b", "c"]);
    expect(await someLooks(reading, undefined)).toEqual({ items: [], next_cursor: "on" });
    expect(asked).toHaveLength(13);
    expect(await someLooks(() => Promise.resolve({ items: [] }), undefined)).toEqual({ items: [] });
    expect(unnamed([look, look, { ...look, to: "platform" }, { ...look, to: "mer_2" }], { mer_2: "Tea" })).toEqual(["mer_1"]);
  });
  it("kinds of pictures", () => expect([typeOf({ path: "wxfile://tmp/a.JPG" }), typeOf({ name: "a.gif", type: "image/gif" }), typeOf({ path: "blob:x", type: "image/webp" })]).toEqual(["image/jpeg", undefined, "image/webp"]));
  it("words of an address are read once, whoever decoded them", () => expect([told("%E8%8C%B6"), told("100%"), told("茶"), told(undefined)]).toEqual(["茶", "100%", "茶", ""]));
  it("places have addresses", () => expect([target("home"), target("search", { q: "茶 & 杯", page: undefined })]).toEqual(["/pages/home/home", `/pages/search/search?q=${encodeURIComponent("茶 & 杯")}`]));
});
