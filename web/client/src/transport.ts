// How a request gets out: `fetch` in a browser, `uni.request` in a mini program, or what a test puts here.

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface WireRequest {
  method: Method;
  /** The whole address: base, path, query. */
  url: string;
  headers: Record<string, string>;
  body?: string;
  timeoutMs: number;
}

export interface WireResponse {
  status: number;
  /** By lower-case names. */
  headers: Record<string, string>;
  text: string;
}

/** Rejects where no answer came. */
export type Transport = (request: WireRequest) => Promise<WireResponse>;

interface Fetched {
  status: number;
  headers: { forEach(visit: (value: string, name: string) => void): void };
  text(): Promise<string>;
}
interface FetchInit {
  method: string;
  headers: Record<string, string>;
  body?: string;
  credentials: "omit";
}
type Fetch = (url: string, init: FetchInit) => Promise<Fetched>;
declare const fetch: Fetch;

/** Requests by `fetch`, without cookies: who calls is said by headers alone. */
export function fetchTransport(by: Fetch = (url, init) => fetch(url, init)): Transport {
  return async ({ method, url, headers, body }) => {
    const answer = await by(url, { method, headers, credentials: "omit", ...(body === undefined ? {} : { body }) });
    const named: Record<string, string> = {};
    answer.headers.forEach((value, name) => {
      named[name.toLowerCase()] = value;
    });
    return { status: answer.status, headers: named, text: await answer.text() };
  };
}

/** What is used of `uni.request`, `qq.request` and `wx.request`: they take and give the same. */
export interface MiniRequest {
  (options: {
    url: string;
    method: "GET" | "POST" | "PUT" | "DELETE";
    header: Record<string, string>;
    data?: string;
    dataType: string;
    timeout: number;
    success: (answer: { statusCode: number; header?: object; data: unknown }) => void;
    fail: (error: { errMsg?: string }) => void;
  }): unknown;
}

/** Requests by a mini program's own call. It knows no `PATCH`: each such call is taken by `POST` as well. */
export function miniTransport(request: MiniRequest): Transport {
  return ({ method, url, headers, body, timeoutMs }) =>
    new Promise((answered, failed) => {
      request({
        url,
        method: method === "PATCH" ? "POST" : method,
        header: headers,
        ...(body === undefined ? {} : { data: body }),
        dataType: "text", // Anything but "json" leaves the text alone.
        timeout: timeoutMs,
        success: ({ statusCode, header, data }) => {
          const named: Record<string, string> = {};
          for (const [name, value] of Object.entries(header ?? {})) named[name.toLowerCase()] = String(value);
          answered({ status: statusCode, headers: named, text: typeof data === "string" ? data : JSON.stringify(data) });
        },
        fail: ({ errMsg }) => failed(new Error(errMsg ?? "no answer")),
      });
    });
}
