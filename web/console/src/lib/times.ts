/** Return when each time of so many days begins, as the API takes it; what is past or no time of a day is left out. */
export function startsOf(first: string, days: number, times: string, now = Date.now()): string[] {
  const found: string[] = [];
  for (let day = 0; day < days; day += 1) {
    for (const [, hour, minute] of times.matchAll(/(?:^|\s)(\d{1,2}):(\d{2})(?=\s|$)/g)) {
      const at = new Date(`${first}T00:00`);
      at.setDate(at.getDate() + day);
      at.setHours(Number(hour), Number(minute));
      if (Number(hour) < 24 && Number(minute) < 60 && at.getTime() > now) found.push(at.toISOString());
    }
  }
  return [...new Set(found)];
}
