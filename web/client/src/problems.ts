// What goes wrong, as errors that say what to do about it.

import type { components } from "./generated/api";
import type { Code } from "./generated/codes";

export type Problem = components["schemas"]["Problem"];

/** The API refused, and says why in the caller's language (RFC 9457). */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    readonly problem: Problem,
    /** After how many seconds to ask again, if the API said so. */
    readonly retryAfterS?: number,
  ) {
    super(problem.detail);
  }

  get status(): number {
    return this.problem.status;
  }

  get code(): string {
    return this.problem.code;
  }

  /** Names the request in the API's logs: show it where a person may write to support. */
  get requestId(): string {
    return this.problem.request_id;
  }

  /** Whether it is one of these refusals. */
  is(...codes: readonly Code[]): boolean {
    return (codes as readonly string[]).includes(this.problem.code);
  }
}

/** Nothing came back, or something that the API never says. What was asked may have happened. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";

  constructor(
    message: string,
    readonly status?: number,
  ) {
    super(message);
  }
}

/** Return what an answer of 400 and more is to be thrown as. */
export function refusal(status: number, text: string, retryAfter: string | undefined): Refusal | NoAnswer {
  const problem = read(text) as Partial<Problem> | undefined;
  if (typeof problem?.code !== "string") return new NoAnswer(`status ${status} without a problem document`, status);
  const whole = { type: "about:blank", title: problem.code, detail: problem.code, request_id: "", ...problem, status };
  return new Refusal(whole as Problem, retryAfter !== undefined && /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined);
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
