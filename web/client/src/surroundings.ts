// What a browser or a mini program has around this code. Nothing else is used: the compiler knows no DOM here.

/** Where tokens and keys are kept between visits. */
export interface Storage {
  get(name: string): string | null | undefined;
  set(name: string, value: string): void;
  remove(name: string): void;
}

/** Lets one of all tabs work at a time. */
export type Lock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** That many numbers from 0 to 255. */
export type Random = (count: number) => ArrayLike<number>;

interface WebStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

declare const localStorage: WebStorage | undefined;
declare const crypto: { getRandomValues?(into: Uint8Array): Uint8Array } | undefined;
declare const navigator: { locks?: { request(name: string, work: () => Promise<unknown>): Promise<unknown> } } | undefined;
declare function setTimeout(work: () => void, ms: number): unknown;
declare function clearTimeout(timer: unknown): void;

/** A storage that ends with the page. */
export function memoryStorage(): Storage {
  const kept = new Map<string, string>();
  return {
    get: (name) => kept.get(name),
    set: (name, value) => void kept.set(name, value),
    remove: (name) => void kept.delete(name),
  };
}

/** A browser's own storage, which all tabs of an origin share; memory where a browser forbids it. */
export function browserStorage(): Storage {
  try {
    if (typeof localStorage === "undefined") return memoryStorage();
    const web = localStorage;
    web.getItem("biandan.tokens"); // Throws where storage is forbidden.
    return {
      get: (name) => web.getItem(name),
      set: (name, value) => web.setItem(name, value),
      remove: (name) => web.removeItem(name),
    };
  } catch {
    return memoryStorage();
  }
}

/** One page is all there is: who comes while another works waits for it. */
export function pageLock(): Lock {
  const last = new Map<string, Promise<unknown>>();
  return (name, work) => {
    const mine = (last.get(name) ?? Promise.resolve()).then(work, work);
    last.set(
      name,
      mine.catch(() => undefined),
    );
    return mine;
  };
}

/** All tabs of a browser; one page where it knows no locks. */
export function browserLock(): Lock {
  const locks = typeof navigator === "undefined" ? undefined : navigator.locks;
  if (locks === undefined) return pageLock();
  return <T>(name: string, work: () => Promise<T>) => locks.request(name, work) as Promise<T>;
}

/**
 * The browser's generator; without one (a mini program) `Math.random`. Keys name an intent among one account's own and
 * are no secret: that two are never the same is enough, and the time stands in each.
 */
export function ownRandom(count: number): ArrayLike<number> {
  if (typeof crypto !== "undefined" && crypto.getRandomValues) return crypto.getRandomValues(new Uint8Array(count));
  return Array.from({ length: count }, () => Math.floor(Math.random() * 256));
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** What comes of a promise, or `late()` thrown if it takes longer; nobody is told to stop, for not everybody can. */
export function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise<T>((done, fail) => {
    const timer = setTimeout(() => fail(late()), ms);
    void work.then(done, fail).then(() => clearTimeout(timer));
  });
}
