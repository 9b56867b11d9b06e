import type { View } from "@/api/types";

import { dayOf } from "./time";

type Order = View<"OrderView">;

export interface Day {
  day: string;
  orders: number;
  minor: number;
}

/** Say whether an order is a sale: paid for, and not called off. */
export function isSale(order: Order): boolean {
  return !["placed", "cancelled"].includes(order.status);
}

/** Return each day from the first sale to the last, days without one too. */
export function byDay(orders: readonly Order[]): Day[] {
  const found = new Map<string, Day>();
  for (const order of orders.filter(isSale)) {
    const day = dayOf(new Date(order.placed_at));
    const sofar = found.get(day) ?? { day, orders: 0, minor: 0 };
    found.set(day, { day, orders: sofar.orders + 1, minor: sofar.minor + order.total.minor });
  }
  const days = [...found.keys()].sort();
  const [first, last] = [days[0], days.at(-1)];
  if (!first || !last) return [];
  const all: Day[] = [];
  // Noon: a day is never skipped or told twice where a clock is put forward or back.
  for (let time = new Date(`${first}T12:00:00`); dayOf(time) <= last; time.setDate(time.getDate() + 1)) {
    const day = dayOf(time);
    all.push(found.get(day) ?? { day, orders: 0, minor: 0 });
  }
  return all;
}

export interface Sold {
  title: string;
  units: number;
  minor: number;
}

/** Return what was sold by product, the most money first. */
export function byProduct(orders: readonly Order[], most = 10): Sold[] {
  const found = new Map<string, Sold>();
  for (const line of orders.filter(isSale).flatMap((order) => order.lines)) {
    const sofar = found.get(line.product_id) ?? { title: line.title, units: 0, minor: 0 };
    found.set(line.product_id, { title: line.title, units: sofar.units + line.quantity, minor: sofar.minor + line.total.minor });
  }
  return [...found.values()].sort((one, other) => other.minor - one.minor).slice(0, most);
}
