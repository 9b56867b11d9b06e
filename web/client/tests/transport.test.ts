import { describe, expect, it } from "vitest";
import { fetchTransport, miniTransport, type MiniRequest } from "../src/index";
import { clientOf } from "./support";

const REQUEST = { method: "PATCH" as const, url: "/v1/cart", headers: { a: "b" }, body: "{}", timeoutMs: 9 };

describe("fetch", () => {
  it("asks without cookies and reads headers by their lower-case names", async () => {
    const asked: unknown[] = [];
    const by = (url: string, init: unknown) => {
      asked.push([url, init]);
      const headers = { forEach: (visit: (value: string, name: string) => void) => visit('"1"', "ETag") };
      return Promise.resolve({ status: 200, headers, text: () => Promise.resolve("{}") });
    };
    expect(await fetchTransport(by)(REQUEST)).toEqual({ status: 200, headers: { etag: '"1"' }, text: "{}" });
    expect(asked).toEqual([["/v1/cart", { method: "PATCH", headers: { a: "b" }, body: "{}", credentials: "omit" }]]);
  });
});

describe("a mini program's request", () => {
  type Asked = Parameters<MiniRequest>[0];

  it("is asked by a verb that it knows, and for text", async () => {
    const asked: Asked[] = [];
    const transport = miniTransport((options) => {
      asked.push(options);
      options.success({ statusCode: 200, header: { ETag: '"1"' }, data: "{}" });
    });
    expect(await transport(REQUEST)).toEqual({ status: 200, headers: { etag: '"1"' }, text: "{}" });
    expect(asked[0]).toMatchObject({ method: "POST", dataType: "text", header: { a: "b" }, data: "{}", timeout: 9 });
  });

  it("is no answer where it fails", async () => {
    const failing = miniTransport(({ fail }) => fail({ errMsg: "request:fail timeout" }));
    await expect(failing(REQUEST)).rejects.toThrow("request:fail timeout");
    await expect(clientOf(failing).client.get("/v1/cart")).rejects.toMatchObject({ name: "NoAnswer" });
  });

  it("may have read the JSON already", async () => {
    const transport = miniTransport(({ success }) => success({ statusCode: 200, data: { a: 1 } }));
    expect((await transport(REQUEST)).text).toBe('{"a":1}');
  });
});
