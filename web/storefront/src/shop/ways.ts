/** Where a person can go, and how: by name here, by path nowhere else. */
import type { Key } from "../texts/locale";

const PLACES = [
  "home", "categories", "cart", "me", "list", "search", "product", "shop", "confirm", "pay", "orders", "order", "complain",
  "complaint", "complaints", "send-back", "return", "returns", "bookings", "ask", "request", "requests", "conversations",
  "conversation", "feedback", "inbox", "brought", "addresses", "address", "sign-in", "privacy", "disclosures", "parcel",
] as const;

export type Place = (typeof PLACES)[number];
export type Query = Record<string, string | number | undefined>;

/** The places that are always one step away. `drawing` is the outline of its sign, on 24 x 24. */
export const tabs: { place: Place; name: Key; drawing: string }[] = [
  { place: "home", name: "home.tab", drawing: "M4 11l8-7 8 7v9H4zM10 20v-6h4v6" },
  { place: "categories", name: "categories.tab", drawing: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z" },
  { place: "cart", name: "cart.tab", drawing: "M3 4h3l2 11h10l2-8H7M9 20h.01M17 20h.01" },
  { place: "me", name: "me.tab", drawing: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-5 3.5-7 8-7s8 2 8 7" },
];

let steps = 0;

/** Say whether this is not the page that the visit began with. */
export function moved(): boolean {
  return steps > 0;
}

/** Return a page's address within the app. */
export function target(place: Place, query: Query = {}): string {
  const said = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return `/pages/${place}/${place}${said.length ? "?" + said.join("&") : ""}`;
}

export function go(place: Place, query?: Query): void {
  steps += 1;
  const url = target(place, query);
  // #ifndef H5
  if (tabs.some((tab) => tab.place === place)) {
    uni.switchTab({ url: target(place) });
    return;
  }
  // #endif
  uni.navigateTo({ url });
}

/** Go on to a page that takes this one's place: there is no way back to a form that was sent. */
export function replace(place: Place, query?: Query): void {
  steps += 1;
  // #ifndef H5
  if (tabs.some((tab) => tab.place === place)) {
    uni.switchTab({ url: target(place) });
    return;
  }
  // #endif
  uni.redirectTo({ url: target(place, query) });
}

/** Go where an address of ours leads, in this page's place; home where it is none. */
export function goTo(url: string): void {
  const place = /^\/pages\/([a-z-]+)\//.exec(url)?.[1];
  const known = PLACES.find((each) => each === place);
  if (known === undefined) replace("home");
  else if (url.includes("?")) {
    steps += 1;
    uni.redirectTo({ url });
  } else replace(known);
}

/** Return what a page was told by its address: pages have it decoded, mini programs as it was written. */
export function told(value: string | undefined): string {
  try {
    return decodeURIComponent(value ?? "");
  } catch {
    return value ?? ""; // It was decoded, and holds a percent sign of its own.
  }
}

export function back(): void {
  if (getCurrentPages().length > 1) uni.navigateBack();
  else replace("home");
}
