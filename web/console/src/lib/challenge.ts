/** A name under attack asks for work: a number with which the digest begins with so many zero bits. */

const BATCH = 512;

function zeroBits(digest: Uint8Array): number {
  let bits = 0;
  for (const byte of digest) {
    if (byte === 0) {
      bits += 8;
      continue;
    }
    return bits + Math.clz32(byte) - 24;
  }
  return bits;
}

/** Return the number. It is looked for in batches, so that the page stays alive meanwhile. */
export async function solve(challenge: string, bits: number): Promise<string> {
  const encoder = new TextEncoder();
  for (let first = 0; ; first += BATCH) {
    const numbers = Array.from({ length: BATCH }, (_, step) => String(first + step));
    const digests = await Promise.all(
      numbers.map((number) => crypto.subtle.digest("SHA-256", encoder.encode(`${challenge}.${number}`))),
    );
    const hit = digests.findIndex((digest) => zeroBits(new Uint8Array(digest)) >= bits);
    const found = numbers[hit];
    if (found !== undefined) return found;
  }
}
