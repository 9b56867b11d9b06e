/** Pages that are a person's own: who has not signed in does that first and comes back. */
import { signedIn } from "../api/client";
import { replace, target, type Place, type Query } from "./ways";

/** Say whether somebody is signed in; else go to the sign-in, which leads back here. */
export function signedInOr(place: Place, query: Query = {}): boolean {
  if (signedIn.value) return true;
  replace("sign-in", { to: target(place, query) });
  return false;
}
