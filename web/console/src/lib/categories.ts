import { call } from "@/api";
import type { View } from "@/api/types";

export interface Choice {
  id: string;
  name: string;
}

/** Return the categories as a list to choose from, each with the names above it. */
export async function categories(locale: string): Promise<Choice[]> {
  const { categories: all } = await call("list_categories");
  const byId = new Map(all.map((each) => [each.category_id, each]));
  const named = (each: View<"CategoryView">): string => (locale === "zh" ? each.names.zh : each.names.en) ?? each.names.zh ?? each.names.en ?? each.category_id;
  const whole = (each: View<"CategoryView">, depth = 0): string => {
    const above = each.parent_id && depth < 8 ? byId.get(each.parent_id) : undefined;
    return above ? `${whole(above, depth + 1)} › ${named(each)}` : named(each);
  };
  return all.map((each) => ({ id: each.category_id, name: whole(each) })).sort((one, other) => one.name.localeCompare(other.name));
}
