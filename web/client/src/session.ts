// Tokens of one signed-in person: kept for all tabs, exchanged once for all of them.

import type { components } from "./generated/api";
import { Refusal } from "./problems";
import type { Lock, Storage } from "./surroundings";

type Tokens = components["schemas"]["TokensView"];

interface Kept {
  account: string;
  access: string;
  refresh: string;
  /** When the access token runs out, by this device's clock. */
  until: number;
}

const TOKENS = "biandan.tokens";
const DEVICE = "biandan.device";
/** An access token is exchanged so long before it runs out, that none runs out on its way. */
const EARLY_MS = 30_000;

/** Who is signed in here. */
export class Session {
  constructor(
    private readonly storage: Storage,
    private readonly lock: Lock,
    private readonly exchange: (body: components["schemas"]["Refresh"]) => Promise<Tokens>,
    private readonly ended: () => void,
    private readonly now: () => number,
  ) {}

  /** Keep what a sign-in answered. */
  keep(tokens: Tokens): void {
    const kept: Kept = {
      account: tokens.account_id,
      access: tokens.access_token,
      refresh: tokens.refresh_token,
      until: this.now() + tokens.expires_in * 1000,
    };
    this.storage.set(TOKENS, JSON.stringify(kept));
    if (tokens.device_token !== undefined) this.storage.set(DEVICE, tokens.device_token);
  }

  /** Put the access token of a fresh proof in the place of the old one; the refresh token stays as it is. */
  proved(proof: { access_token: string; expires_in: number }): void {
    const kept = this.kept();
    if (kept === undefined) return;
    const until = this.now() + proof.expires_in * 1000;
    this.storage.set(TOKENS, JSON.stringify({ ...kept, access: proof.access_token, until }));
  }

  /** Forget who was signed in. The device stays known, for the next sign-in. */
  forget(): void {
    this.storage.remove(TOKENS);
  }

  /** The account that is signed in here, if one is. */
  account(): string | undefined {
    return this.kept()?.account;
  }

  /** What to send as `device_token` with a sign-in: it tells the owner from whoever else tries the name. */
  device(): string | undefined {
    return this.storage.get(DEVICE) ?? undefined;
  }

  /** Return a token that counts; undefined for a guest. `stale` is one that was just refused. */
  async token(stale?: string): Promise<string | undefined> {
    const kept = this.kept();
    if (kept === undefined || this.counts(kept, stale)) return kept?.access;
    return this.lock(TOKENS, async () => {
      const meanwhile = this.kept(); // Another tab may have been here first.
      if (meanwhile === undefined || this.counts(meanwhile, stale)) return meanwhile?.access;
      return this.renewed(meanwhile);
    });
  }

  private async renewed(old: Kept): Promise<string> {
    const device = this.device();
    try {
      const tokens = await this.exchange({ refresh_token: old.refresh, ...(device === undefined ? {} : { device_token: device }) });
      this.keep(tokens);
      return tokens.access_token;
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) {
        this.forget();
        this.ended();
      }
      throw error;
    }
  }

  private counts(kept: Kept, stale: string | undefined): boolean {
    return kept.access !== stale && kept.until - EARLY_MS > this.now();
  }

  private kept(): Kept | undefined {
    const text = this.storage.get(TOKENS);
    if (!text) return undefined;
    try {
      return JSON.parse(text) as Kept;
    } catch {
      return undefined; // Somebody else wrote there.
    }
  }
}
