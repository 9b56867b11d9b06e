/** Who may do what, as the API's own table says it (`make generate` writes it). It hides; the API alone guards. */
import table from "@/generated/policy";

export type Operation = keyof typeof table;

export interface Rule {
  method: string;
  path: string;
  who: string;
  posts?: string[];
  desks?: string[];
  fresh_s?: number;
  key?: boolean;
  suspended?: boolean;
}

/** What is known of the person at the screen. */
export interface Person {
  roles: readonly string[];
  desks: readonly string[];
  posts: readonly { merchant_id: string; post: string }[];
}

const rules = table as Record<Operation, Rule>;

export function ruleOf(operation: Operation): Rule {
  return rules[operation];
}

/** Say whether the person may call an operation: at the merchant whose console is open, or at their desk. */
export function may(person: Person, operation: Operation, merchantId?: string): boolean {
  const rule = ruleOf(operation);
  if (rule.who === "operator") {
    return person.roles.includes("operator") && person.desks.some((desk) => rule.desks?.includes(desk));
  }
  if (rule.who === "staff") {
    const post = person.posts.find((each) => each.merchant_id === merchantId)?.post;
    return post !== undefined && (rule.posts?.includes(post) ?? false);
  }
  return true;
}
