import { beforeEach, describe, expect, it } from "vitest";

import { call, client, configure } from "@/api";
import { fieldsOf, Refusal, wordOn } from "@/api/problem";

interface Sent {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string;
}
type Answer = { status: number; body?: unknown };

let sent: Sent[];

function answering(...answers: Answer[]): void {
  sent = [];
  configure({
    base: "",
    language: () => "zh-CN",
    merchantId: () => "mer_000000000000000000000000",
    prove: () => Promise.resolve(false),
    over: () => undefined,
    factorNeeded: () => undefined,
    transport(request) {
      sent.push(request);
      const answer = answers[Math.min(sent.length, answers.length) - 1] ?? { status: 500 };
      return Promise.resolve({ status: answer.status, headers: {}, text: JSON.stringify(answer.body ?? {}) });
    },
  });
}

const refused = (code: string, status: number, members: object = {}): Answer => ({
  status,
  body: { type: "about:blank", title: code, status, code, detail: `refused: ${code}`, request_id: "r", ...members },
});
const tokens = {
  account_id: "acc_1",
  session_id: "ses_1",
  token_type: "Bearer" as const,
  access_token: "first",
  expires_in: 600,
  refresh_token: "refresh",
  refresh_expires_in: 1000,
};

beforeEach(() => localStorage.clear());

describe("a call", () => {
  it("goes where the table says, for the merchant whose console is open, in the reader's language", async () => {
    answering({ status: 200 });
    await call("ship_order", { path: { order_id: "ord_1" }, body: { lines: [] }, key: "the-key-of-the-page" });
    expect(sent[0]).toMatchObject({ method: "POST", url: "/v1/merchant/orders/ord_1/shipments" });
    expect(sent[0]?.headers).toMatchObject({
      "Idempotency-Key": "the-key-of-the-page",
      "X-Merchant-Id": "mer_000000000000000000000000",
      "Accept-Language": "zh-CN",
    });
  });

  it("says nothing of the merchant where an operator acts", async () => {
    answering({ status: 200 });
    await call("list_cases");
    expect(sent[0]?.headers).not.toHaveProperty("X-Merchant-Id");
  });

  it("asks for a proof where one is wanted, once, and is made again with it under the same key", async () => {
    answering(refused("fresh_proof_needed", 401, { methods: ["password"] }), { status: 200 });
    client().session.keep(tokens);
    let asked: Refusal | undefined;
    configure({
      prove(refusal) {
        asked = refusal;
        client().session.proved({ access_token: "proved", expires_in: 600 });
        return Promise.resolve(true);
      },
    });
    await call("invite_person", { body: { post: "clerk", contact: "mei@example.com" }, key: "the-key-of-the-page" });
    expect(asked?.code).toBe("fresh_proof_needed");
    expect(sent.map((each) => each.headers.Authorization)).toEqual(["Bearer first", "Bearer proved"]);
    expect(new Set(sent.map((each) => each.headers["Idempotency-Key"]))).toEqual(new Set(["the-key-of-the-page"]));
  });

  it("is refused where the person gives none", async () => {
    answering(refused("fresh_proof_needed", 401, { methods: ["password"] }));
    await expect(call("invite_person", { body: { post: "clerk", contact: "mei@example.com" } })).rejects.toThrow("fresh_proof_needed");
    expect(sent).toHaveLength(1);
  });

  it("sends who must have a second factor to where it is set up", async () => {
    answering(refused("second_factor_required", 403));
    let sentThere = 0;
    configure({ factorNeeded: () => (sentThere += 1) });
    await expect(call("list_cases")).rejects.toThrow(Refusal);
    expect(sentThere).toBe(1);
  });

  it("keeps its person apart from the storefront's on the same origin", () => {
    answering();
    client().session.keep(tokens);
    expect(Object.keys(localStorage).every((name) => name.startsWith("console."))).toBe(true);
  });
});

describe("a refusal", () => {
  it("is told at the field it names, however deep", () => {
    const refusal = new Refusal({
      type: "", title: "", status: 422, code: "invalid_request", detail: "The request is not valid.", request_id: "r",
      errors: [{ pointer: "/lines/0/quantity", code: "too_large", detail: "too many" }],
    } as never);
    expect(wordOn(refusal, "lines")).toBe("too many");
    expect(wordOn(refusal, "line")).toBeUndefined();
    expect(fieldsOf(refusal)).toEqual({ "lines/0/quantity": "too many" });
  });

  it("may name one field by itself", () => {
    const refusal = new Refusal({ code: "bad_terms", detail: "look at freight", field: "freight" } as never);
    expect(wordOn(refusal, "freight")).toBe("look at freight");
  });
});
