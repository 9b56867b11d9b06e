/** The work that a name under attack asks for: a number with which a digest begins with so many zero bits. */
import { ascii, sha256 } from "./sha256";

const AT_ONCE = 4000;

export function zeroBits(digest: Uint8Array): number {
  let bits = 0;
  for (const byte of digest) {
    if (byte !== 0) return bits + Math.clz32(byte) - 24;
    bits += 8;
  }
  return bits;
}

/** Look for the number, a piece at a time, so that the page goes on to answer. */
export async function solve(challenge: string, bits: number): Promise<{ challenge: string; number: string }> {
  for (let number = 0; ; number += 1) {
    if (zeroBits(sha256(ascii(`${challenge}.${number}`))) >= bits) return { challenge, number: String(number) };
    if (number % AT_ONCE === AT_ONCE - 1) await new Promise((done) => setTimeout(done, 0));
  }
}
