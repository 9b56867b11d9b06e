import { createClient, memoryStorage, type Settings, type WireRequest, type WireResponse } from "../src/index";

type Answer = Partial<WireResponse> | Error;

/** A transport that answers in turn and remembers what it was asked. */
export function scripted(...answers: (Answer | ((request: WireRequest) => Answer))[]) {
  const asked: WireRequest[] = [];
  const transport = async (request: WireRequest): Promise<WireResponse> => {
    asked.push(request);
    const next = answers.shift();
    if (next === undefined) throw new Error(`nothing to answer ${request.method} ${request.url} with`);
    await Promise.resolve();
    const answer = typeof next === "function" ? next(request) : next;
    if (answer instanceof Error) throw answer;
    return { status: 200, headers: {}, text: "{}", ...answer };
  };
  return { transport, asked };
}

export function problem(status: number, code: string, headers: Record<string, string> = {}, more: object = {}) {
  const text = JSON.stringify({ type: "about:blank", title: code, status, code, detail: `why ${code}`, request_id: "req_1", ...more });
  return { status, headers, text };
}

export function tokens(name: string, expires_in = 600) {
  return { account_id: "acc_1", session_id: "ses_1", access_token: `access-${name}`, expires_in, refresh_token: `refresh-${name}`, refresh_expires_in: 1 };
}

/** A client whose waits are noted instead of waited. */
export function clientOf(transport: Settings["transport"], more: Settings = {}) {
  const waits: number[] = [];
  const wait = (ms: number) => {
    waits.push(ms);
    return Promise.resolve();
  };
  const client = createClient({ ...(transport ? { transport } : {}), storage: memoryStorage(), wait, ...more });
  return { client, waits };
}
