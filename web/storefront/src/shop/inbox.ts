/** Where a message leads, by the number that it is about. */
import type { Brought, ChooseBrought } from "../api/types";
import type { Place, Query } from "./ways";

/** By what a message is brought. */
export const WAYS = ["email", "sms", "wechat", "qq"] as const;
export type Way = (typeof WAYS)[number];

const PAGES: Record<string, Place> = { ord: "order", cmp: "complaint", cnv: "conversation", req: "request", rtn: "return", pur: "pay", fbk: "feedback", sat: "feedback" };

/** Return the page of what a message is about; undefined where a buyer has no page for it. */
export function leadsTo(about: string | undefined): { place: Place; query: Query } | undefined {
  const place = PAGES[about?.split("_")[0] ?? ""];
  if (place === undefined) return undefined;
  return { place, query: place === "feedback" ? {} : { id: about } };
}

/** Return the choices with one way of one topic turned round. */
export function toggled(found: Brought, topic: string, way: Way): Brought {
  const turned = (each: Brought["topics"][number]) => ({ ...each, channels: { ...each.channels, [way]: each.channels[way] !== true } });
  return { ...found, topics: found.topics.map((each) => (each.topic === topic ? turned(each) : each)) };
}

/** Return what to send: everything that is off, of topics that may end. */
export function chosen(found: Brought, hours: ChooseBrought["quiet_hours"]): ChooseBrought {
  const topics = found.topics.filter((each) => each.may_end);
  const off = topics.flatMap((each) => WAYS.filter((way) => each.channels[way] === false).map((channel) => ({ topic: each.topic, channel })));
  return { off, ...(hours === undefined ? {} : { quiet_hours: hours }) };
}
