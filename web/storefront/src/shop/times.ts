/** Times as a person reads them, without `Intl`, which mini programs lack. */
import { t } from "../texts/locale";

const two = (number: number): string => (number < 10 ? `0${number}` : String(number));

/** Return `2026-11-29 18:30` in the device's own time. */
export function moment(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

export interface Left {
  days: number;
  hours: number;
  minutes: number;
  seconds: number;
}

/** Return how long it is until then; undefined once it has passed. */
export function left(until: string, now: number): Left | undefined {
  const seconds = Math.floor((new Date(until).getTime() - now) / 1000);
  if (!(seconds > 0)) return undefined;
  return { days: Math.floor(seconds / 86400), hours: Math.floor(seconds / 3600) % 24, minutes: Math.floor(seconds / 60) % 60, seconds: seconds % 60 };
}

/** Return it in words: `2 days 3 h`, `12 min`, `0:42`. */
export function leftInWords(until: string, now: number): string {
  const span = left(until, now);
  if (span === undefined) return t("time.over");
  if (span.days > 0) return t("time.days", { days: span.days, hours: span.hours });
  if (span.hours > 0) return t("time.hours", { hours: span.hours, minutes: span.minutes });
  return `${span.minutes}:${two(span.seconds)}`;
}
