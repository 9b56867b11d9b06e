// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { happen, MiniProgram, showing, TARGETS, until, type Asked } from "../support/mini";

const money = (minor: number) => ({ minor, currency: "CNY" });
const PRODUCT = {
  product_id: "prd_1", merchant_id: "mer_1", kind: "physical", titles: { zh: "龙井茶", en: "Dragon Well" }, category_id: "tea", options: ["重量"],
  skus: [
    { sku_id: "sku_1_01", options: ["100 g"], price: money(6800), weight_g: 100, sold_out: true },
    { sku_id: "sku_1_02", options: ["250 g"], price: money(14800), weight_g: 250, sold_out: false },
  ],
  price_from: money(6800), price_to: money(14800), sold_out: false, description: { zh: "明前采摘" }, specifications: [], pictures: ["/p.png"], tags: [],
};
const CARD = { product_id: "prd_1", merchant_id: "mer_1", category_id: "tea", kind: "physical", titles: PRODUCT.titles, price_from: money(6800), price_to: money(14800), sold_out: false };
const TOKENS = { account_id: "acc_1", session_id: "ses_1", token_type: "Bearer", access_token: "a", expires_in: 600, refresh_token: "r".repeat(30), refresh_expires_in: 6000, payer: "openid-1" };
const PURCHASE = { purchase_id: "pur_1", number: "1", status: "awaiting_payment", status_text: "等待付款", total: money(14800), placed_at: "2026-01-01T00:00:00Z", due_at: "2999-01-01T00:00:00Z", order_ids: [], history: [], orders: [] };
const METHODS = {
  items: [
    { provider: "wechatpay", title: "", titles: { zh: "微信支付", en: "WeChat Pay" }, currencies: ["CNY"], test_only: false, methods: [{ method: "mini", title: "", titles: { zh: "小程序支付", en: "Mini program" }, action: "params", needs: ["payer"] }, { method: "native", title: "", titles: { zh: "扫码", en: "Scan" }, action: "qr", needs: [] }] },
    { provider: "qqwallet", title: "", titles: { zh: "QQ钱包", en: "QQ Wallet" }, currencies: ["CNY"], test_only: false, methods: [{ method: "miniapp", title: "", titles: { zh: "小程序支付", en: "Mini program" }, action: "params", needs: [] }] },
  ],
};

const PAGES = ["home", "categories", "cart", "me", "list", "search", "product", "shop", "confirm", "pay", "orders", "order", "complain", "complaint", "complaints", "send-back", "return", "returns", "addresses", "address", "sign-in", "privacy", "disclosures"];

/** As much of a shop as these pages ask. */
function shop(asked: Asked): { status: number; body: unknown } | undefined {
  const at = asked.path.split("?")[0]!;
  const good = (body: unknown) => ({ status: 200, body });
  if (at.startsWith("/published/")) return { status: 404, body: {} };
  if (at === "/v1/categories") return good({ categories: [{ category_id: "tea", names: { zh: "茶", en: "Tea" } }], version: 1 });
  if (at === "/v1/products") return good({ items: [CARD] });
  if (at === "/v1/products/prd_1") return good(PRODUCT);
  if (at === "/v1/merchants/mer_1") return good({ merchant_id: "mer_1", name: "山间茶事", status: "active", description: "", currency: "CNY", freight: money(800) });
  if (at === "/v1/cart") return good({ lines: [], version: 0 });
  if (at === "/v1/cart/lines/sku_1_02") return good({ lines: [{ sku_id: "sku_1_02", quantity: 1 }], version: 1, cart_token: "c".repeat(40) });
  if (at === "/v1/cart/merge") return good({ lines: [], version: 2 });
  if (/^\/v1\/auth\/mini\/\w+\/sign-in$/.test(at)) return good(TOKENS);
  if (at === "/v1/purchases/pur_1") return good(PURCHASE);
  if (at === "/v1/purchases/pur_1/status") return good({ purchase_id: "pur_1", status: "awaiting_payment", status_text: "" });
  if (at === "/v1/me/disclosures") {
    const look = { at: "2026-01-01T00:00:00Z", what: ["收货地址"], record_id: "pur_1" };
    return good({ items: asked.path.includes("by=merchants") ? [{ ...look, to: "mer_1", record_id: "ord_1" }] : [{ ...look, to: "platform", reason: "核对地址" }] });
  }
  if (at === "/v1/payment-methods") return good(METHODS);
  if (at === "/v1/purchases/pur_1/payments" && asked.method === "GET") return good({ items: [] });
  const paying = { payment_id: "pay_1", purchase_id: "pur_1", provider: "", method: "", status: "pending", status_text: "等待付款", amount: money(14800), refunded: money(0), created_at: "", expires_at: "" };
  if (at === "/v1/purchases/pur_1/payments") return { status: 201, body: { ...paying, instruction: { action: "params", params: { package: "prepay_id=1", timeStamp: "1", nonceStr: "n", signType: "RSA", paySign: "s", bargainor_id: "b" } } } };
  if (at === "/v1/purchases/pur_1/payments/pay_1/check") return good(paying);
  return undefined;
}

describe.each(TARGETS)("$target", (target) => {
  const started = (system: Record<string, unknown> = {}) => new MiniProgram(target, shop, system);
  const provider = target.global === "qq" ? "qq_mini" : "wechat_mini";

  it("runs where there is nothing but the language", () => {
    expect(started().lacks("fetch", "URLSearchParams", "AbortController", "Intl", "window", "document", "URL", "TextEncoder", "crypto")).toBe(true);
  });

  it("shows goods, and a tap on one leads to its page", async () => {
    const program = started();
    const page = program.open("pages/home/home");
    await until(() => showing(page, "龙井茶").length > 0, "the goods are shown");
    expect(program.asked.map((asked) => asked.path)).toContain("/v1/products?sort=newest&limit=24");
    happen(showing(page, "龙井茶")[0]);
    await until(() => program.gone.length > 0, "somebody went somewhere");
    expect(program.gone).toEqual([expect.stringMatching(/^navigateTo \/pages\/product\/product\?id=prd_1(&__id__=\d+)?$/)]);
  });

  it("takes the option that is there, puts it into a guest's cart and leads to the cart", async () => {
    const program = started();
    const page = program.open("pages/product/product", { id: "prd_1" });
    await until(() => showing(page, "¥148.00").length > 0, "the price of what can be had is shown");
    expect(page.dom.querySelector(".option-on")?.textContent).toContain("250 g");
    happen(showing(page, "立即购买")[0]);
    await until(() => program.gone.length > 0, "somebody went somewhere");
    const put = program.asked.find((asked) => asked.method === "PUT");
    expect(put).toMatchObject({ path: "/v1/cart/lines/sku_1_02", body: { quantity: 1 } });
    expect(put?.header.Authorization).toBeUndefined();
    expect(program.gone).toEqual(["switchTab /pages/cart/cart"]);
    expect(program.storage.get("biandan.cart")).toBe("c".repeat(40));
  });

  it("signs in by the platform's code and pours the guest's cart in", async () => {
    const program = started({ login: { code: "js-code-1" } });
    program.storage.set("biandan.cart", "c".repeat(40));
    const page = program.open("pages/sign-in/sign-in", { to: encodeURIComponent("/pages/confirm/confirm") });
    happen(showing(page, target.global === "qq" ? "QQ 登录" : "微信登录")[0]);
    await until(() => program.gone.length > 0, "somebody went somewhere");
    const signedIn = program.asked.find((asked) => asked.path.endsWith("/sign-in"));
    expect(signedIn).toMatchObject({ method: "POST", path: `/v1/auth/mini/${provider}/sign-in`, body: { js_code: "js-code-1" } });
    expect(program.asked.find((asked) => asked.path === "/v1/cart/merge")).toMatchObject({ body: { cart_token: "c".repeat(40) }, header: { Authorization: "Bearer a" } });
    expect(program.gone).toEqual(["redirectTo /pages/confirm/confirm"]);
  });

  it("does the work that a code may cost, says that it does, and asks again under the same key", async () => {
    const needed = { status: 429, body: { status: 429, code: "challenge_needed", title: "", detail: "", type: "", request_id: "", challenge: "name.network.time.tag", bits: 13 } };
    const program = new MiniProgram(target, (asked) => {
      if (asked.path !== "/v1/auth/codes") return shop(asked);
      return (asked.body as { solution?: object }).solution ? { status: 202, body: { code_id: "cod_1", expires_in: 600, resend_in: 60 } } : needed;
    });
    const page = program.open("pages/sign-in/sign-in");
    await until(() => page.dom.querySelector("input") !== null, "the contact is asked for");
    happen(page.dom.querySelector<HTMLElement>("input")!, "input", { value: "mei@example.com" });
    await new Promise((done) => setTimeout(done, 20));
    happen(showing(page, "获取验证码")[0]);
    await until(() => showing(page, "正在完成安全验证").length > 0, "it says that it works");
    await until(() => showing(page, "验证码已发送").length > 0, "the code was sent");
    expect(page.dom.textContent).not.toContain("正在完成安全验证");
    const [first, second, ...more] = program.asked.filter((asked) => asked.path === "/v1/auth/codes");
    expect([first?.body, more]).toEqual([{ contact: "mei@example.com", purpose: "sign_in" }, []]);
    expect(second?.body).toEqual({ contact: "mei@example.com", purpose: "sign_in", solution: { challenge: "name.network.time.tag", number: expect.stringMatching(/^\d+$/) } });
    expect(second?.header["Idempotency-Key"]).toBe(first?.header["Idempotency-Key"]);
  });

  it("pays by the platform's own sheet, and believes the API alone", async () => {
    const program = started();
    program.storage.set("biandan.tokens", JSON.stringify({ account: "acc_1", access: "a", refresh: "r", until: Date.now() + 600_000 }));
    program.storage.set("bd.payer", "openid-1");
    const page = program.open("pages/pay/pay", { id: "pur_1" });
    await until(() => showing(page, "支付 ¥148.00").length > 0, "the sum is shown");
    expect(page.dom.querySelectorAll(".option")).toHaveLength(1); // The one way that this platform has.
    await until(() => page.dom.querySelector(".option-on") !== null, "it is chosen");
    happen(showing(page, "支付 ¥148.00")[0]);
    await until(() => program.called.some((call) => call.name === "requestPayment"), "the sheet is shown");
    const asked = program.asked.find((each) => each.method === "POST" && each.path === "/v1/purchases/pur_1/payments");
    expect(asked?.header["Idempotency-Key"]).toMatch(/^[A-Za-z0-9_\-:.]{8,64}$/);
    expect(asked?.body).toEqual(target.global === "qq" ? { provider: "qqwallet", method: "miniapp" } : { provider: "wechatpay", method: "mini", payer: "openid-1" });
    const sheet = program.called.find((call) => call.name === "requestPayment")!.options;
    expect(sheet).toMatchObject(target.global === "qq" ? { package: "prepay_id=1", bargainor_id: "b" } : { timeStamp: "1", nonceStr: "n", package: "prepay_id=1", signType: "RSA", paySign: "s" });
    // The sheet said that it went well; the API does not know of it yet, so the page goes on waiting.
    await until(() => program.asked.some((each) => each.path.endsWith("/check")), "the API is asked");
    expect(page.dom.textContent).not.toContain("商家已收到您的订单");
    expect(page.dom.textContent).toContain("正在等待支付结果");
  });

  it("says what went wrong where there is no network, and asks again", async () => {
    let reachable = false;
    const program = new MiniProgram(target, (asked) => (reachable ? shop(asked) : { status: 409, body: { status: 409, code: "off", title: "", detail: "现在不行", type: "", request_id: "" } }));
    const page = program.open("pages/list/list", { category: "tea" });
    await until(() => showing(page, "现在不行").length > 0, "it says so");
    reachable = true;
    happen(showing(page, "重试")[0]);
    await until(() => showing(page, "龙井茶").length > 0, "the goods are shown");
  });

  it("says who was shown a person's address: the platform with its reason, a merchant by its name", async () => {
    const program = started({ login: { code: "js-code-1" } });
    happen(showing(program.open("pages/sign-in/sign-in"), target.global === "qq" ? "QQ 登录" : "微信登录")[0]);
    await until(() => program.gone.length === 1, "somebody signed in");
    const page = program.open("pages/disclosures/disclosures");
    await until(() => showing(page, "核对地址").length > 0, "the platform's reason is shown");
    await until(() => showing(page, "山间茶事").length > 0, "the merchant's name is shown");
    happen(showing(page, "查看订单")[0]);
    await until(() => program.gone.length === 2, "somebody went somewhere");
    expect(program.gone[1]).toMatch(/^navigateTo \/pages\/order\/order\?id=ord_1/);
  });

  it.each(PAGES)("renders %s", async (name) => {
    const program = started();
    program.storage.set("biandan.tokens", JSON.stringify({ account: "acc_1", access: "a", refresh: "r", until: Date.now() + 600_000 }));
    const page = program.open(`pages/${name}/${name}`, { id: "prd_1", order: "ord_1" });
    await until(() => (page.dom.querySelector(".body")?.textContent ?? "") !== "", "something is shown");
  });
});
