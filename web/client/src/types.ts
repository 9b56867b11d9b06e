// What a call takes and gives, read off the generated document.

import type { paths } from "./generated/api";
import type { Refusals } from "./generated/codes";

export type Verb = "get" | "post" | "put" | "patch" | "delete";

/** An operation of the document. */
export type Operation<V extends Verb, P extends keyof paths> = paths[P] extends Record<V, infer Its> ? Its : never;

/** The paths that know a verb. */
export type PathOf<V extends Verb> = { [P in keyof paths]: paths[P] extends Record<V, unknown> ? P : never }[keyof paths];

type Parameters<Op> = Op extends { parameters: infer Its } ? Its : Record<never, never>;

/** A part of a call: absent where the operation has none, optional where nothing in it is needed. */
type Part<Name extends string, Its> = [Its] extends [never]
  ? { [K in Name]?: never }
  : Record<never, never> extends Its
    ? { [K in Name]?: Its }
    : { [K in Name]: Its };

type Path<Op> = Parameters<Op> extends { path: infer Its } ? Its : never;
type Query<Op> = Parameters<Op> extends { query?: infer Its } ? NonNullable<Its> : never;
type Header<Op> = Parameters<Op> extends { header?: infer Its } ? NonNullable<Its> : never;
type OtherHeaders<Op> = [Header<Op>] extends [never] ? never : Omit<Header<Op>, "Idempotency-Key">;

/** Where an operation needs a key, it is asked for: only the caller knows which of its calls are one intent. */
type Key<Op> = [Header<Op>] extends [never]
  ? { key?: never }
  : Header<Op> extends { "Idempotency-Key": string }
    ? { key: string }
    : Header<Op> extends { "Idempotency-Key"?: string }
      ? "Idempotency-Key" extends keyof Header<Op>
        ? { key?: string }
        : { key?: never }
      : { key?: never };

type Content<Of> = Of extends { content: infer Its } ? Its[keyof Its] : never;
type Body<Op> = Op extends { requestBody: infer Its }
  ? [Its] extends [never]
    ? { body?: never }
    : { body: Content<Its> }
  : Op extends { requestBody?: infer Its }
    ? [Content<NonNullable<Its>>] extends [never]
      ? { body?: never }
      : { body?: Content<NonNullable<Its>> }
    : { body?: never };

/** What may be said about any call. */
export interface Manner {
  /** How often it is tried in all; 1 does not repeat it. */
  tries?: number;
  /** How long one try may take. */
  timeoutMs?: number;
}

export type Options<V extends Verb, P extends keyof paths> = Part<"path", Path<Operation<V, P>>> &
  Part<"query", Query<Operation<V, P>>> &
  Part<"headers", OtherHeaders<Operation<V, P>>> &
  Key<Operation<V, P>> &
  Body<Operation<V, P>> &
  Manner;

/** The second argument of a call: it may be left out where nothing in it is needed. */
export type Arguments<V extends Verb, P extends keyof paths> =
  Record<never, never> extends Options<V, P> ? [options?: Options<V, P>] : [options: Options<V, P>];

type Good<Op> = Op extends { responses: infer Its } ? Its[keyof Its & (200 | 201 | 202)] : never;

/** What a call answers; nothing where the document knows no content. */
export type Answer<V extends Verb, P extends keyof paths> = [Content<Good<Operation<V, P>>>] extends [never]
  ? undefined
  : Content<Good<Operation<V, P>>>;

/** The codes that a call may be refused with. */
export type CodeOf<V extends Verb, P extends keyof paths> = `${Uppercase<V>} ${P}` extends keyof Refusals
  ? Refusals[`${Uppercase<V>} ${P}`]
  : never;
