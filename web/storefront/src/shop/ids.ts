let last = 0;

/** Return an id that no other element of this page has. */
export function nextId(of: string): string {
  last += 1;
  return `${of}-${last}`;
}
