/** What the API refuses (RFC 9457), and where in a form it belongs. */
import { NoPasskey, Refusal, type PasskeyOptions } from "../../../client/src/index.js";

interface Members {
  errors?: { pointer: string; code: string; detail: string }[];
  field?: string;
  methods?: string[];
  challenge?: string;
  bits?: number;
  public_key?: PasskeyOptions;
}

/** Return the members that some refusals have beside the standard ones. */
export function membersOf(refusal: Refusal): Members {
  return refusal.problem as unknown as Members;
}

/** Return what is said of single fields, by their JSON pointer without the first stroke (`lines/0/quantity`). */
export function fieldsOf(problem: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  if (!(problem instanceof Refusal)) return found;
  const { errors = [], field } = membersOf(problem);
  for (const each of errors) found[each.pointer.replace(/^\//, "")] ??= each.detail;
  if (field && !(field in found)) found[field] = problem.problem.detail;
  return found;
}

/** Return the word about a field or anything inside it; undefined where nothing was said. */
export function wordOn(problem: unknown, ...names: string[]): string | undefined {
  const entries = Object.entries(fieldsOf(problem));
  return entries.find(([pointer]) => names.some((name) => pointer === name || pointer.startsWith(name + "/")))?.[1];
}

export { NoPasskey, Refusal };
