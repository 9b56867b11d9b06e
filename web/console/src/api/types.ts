import type { components, operations } from "../../../client/src/generated/api.js";

import type { Operation } from "@/policy";

type Schemas = components["schemas"];
export type View<Name extends keyof Schemas> = Schemas[Name];

type Of<Name extends Operation> = Name extends keyof operations ? operations[Name] : never;
type Json<Content> = Content extends { content: { "application/json": infer Body } } ? Body : undefined;

/** What an operation answers where it goes well. */
export type AnswerOf<Name extends Operation> =
  Of<Name> extends { responses: infer Answers } ? Json<Answers[keyof Answers & (200 | 201 | 202 | 204)]> : never;
export type BodyOf<Name extends Operation> =
  Of<Name> extends { requestBody?: infer Sent } ? Json<NonNullable<Sent>> : undefined;
export type QueryOf<Name extends Operation> =
  Of<Name> extends { parameters: { query?: infer Query } } ? NonNullable<Query> : never;
