/** How times are shown: the day and minute of the reader's own clock, and how long something still has. */

const pad = (number: number): string => String(number).padStart(2, "0");

/** Return `2026-11-29 18:04` in the reader's own time. */
export function minuteOf(at: string): string {
  const time = new Date(at);
  return `${dayOf(time)} ${pad(time.getHours())}:${pad(time.getMinutes())}`;
}

export function dayOf(time: Date): string {
  return `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
}

export interface Span {
  late: boolean;
  unit: "days" | "hours" | "minutes";
  count: number;
}

/** Return how long it is until a moment, or since: the largest unit that says something. */
export function spanUntil(at: string, now: number): Span {
  const left = Date.parse(at) - now;
  const minutes = Math.floor(Math.abs(left) / 60_000);
  const late = left < 0;
  if (minutes >= 48 * 60) return { late, unit: "days", count: Math.floor(minutes / 1440) };
  if (minutes >= 60) return { late, unit: "hours", count: Math.floor(minutes / 60) };
  return { late, unit: "minutes", count: minutes };
}

/** Return how urgent a deadline is: past, within a day, or neither. */
export function urgency(at: string, now: number): "late" | "soon" | "calm" {
  const left = Date.parse(at) - now;
  if (left < 0) return "late";
  return left < 24 * 3_600_000 ? "soon" : "calm";
}
