// Keys of what is done once (`Idempotency-Key`): the same for every try of one intent.

import { ownRandom, type Random, type Storage } from "./surroundings";

const PLACE = "biandan.intents";
/** So many named intents are remembered, the newest; who leaves more of them open has forgotten the others too. */
const KEPT = 20;
const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";

export class Intents {
  constructor(
    private readonly storage: Storage,
    private readonly now: () => number,
    private readonly random: Random = ownRandom,
  ) {}

  /**
   * A key for one intent. With a name it is the same until `done`, also after the page was closed and opened again:
   * name what is meant, with what it is about (`pay:pur_...`).
   */
  key(name?: string): string {
    if (name === undefined) return this.minted();
    const open = this.open();
    const known = open.find(([its]) => its === name)?.[1];
    if (known !== undefined) return known;
    const key = this.minted();
    this.keep([...open, [name, key]]);
    return key;
  }

  /** What was meant has happened, or is given up: the next time is another intent. */
  done(name: string): void {
    this.keep(this.open().filter(([its]) => its !== name));
  }

  private minted(): string {
    const random = Array.from(this.random(20), (byte) => LETTERS[byte % LETTERS.length]).join("");
    return `${this.now().toString(36)}-${random}`;
  }

  private keep(open: [string, string][]): void {
    this.storage.set(PLACE, JSON.stringify(open.slice(-KEPT)));
  }

  private open(): [string, string][] {
    try {
      return JSON.parse(this.storage.get(PLACE) ?? "[]") as [string, string][];
    } catch {
      return [];
    }
  }
}
