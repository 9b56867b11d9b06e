/** Where the API is, and what lies beside it. */
export const BASE: string = __API__;

/** Return a picture's whole address: those that the API tells without a host are the API's own. */
export function picture(told: string | undefined): string {
  if (!told) return "";
  return told.startsWith("/") && !told.startsWith("//") ? BASE + told : told;
}
