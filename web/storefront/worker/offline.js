/*
 * What was seen is seen again without a network: the app's own files, goods, categories, shops and their pictures.
 * Nothing of a person is kept: what carries a token, a cart or an answer that says `no-store` passes by.
 */
const KEPT = "biandan-1";
const MOST = 300;
const SHOWN = /\/(published\/|v1\/(products|categories|merchants|search|payment-methods)(\/|\?|$)|_dev\/pictures\/)/;
const NAMED_BY_CONTENT = /\/(assets|published\/files)\//;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) =>
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
      await self.clients.claim();
    })(),
  ),
);

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.mode === "navigate" && request.url.startsWith(self.registration.scope)) {
    // One document for all of it; what a sign-in or a cashier put behind its address is the page's to read, and kept nowhere.
    event.respondWith(askedFirst(new Request(self.registration.scope)));
    return;
  }
  const own = request.url.startsWith(self.registration.scope) || (url.origin === self.location.origin && SHOWN.test(url.pathname + url.search));
  const picture = request.destination === "image";
  if (request.method !== "GET" || !(own || picture) || request.headers.has("X-Cart-Token")) return;
  event.respondWith(NAMED_BY_CONTENT.test(url.pathname) ? keptFirst(request) : askedFirst(request));
});

/** The name says what is in it: what is kept is right for ever. */
async function keptFirst(request) {
  const cache = await caches.open(KEPT);
  return (await cache.match(request)) ?? fetched(cache, request);
}

async function askedFirst(request) {
  const cache = await caches.open(KEPT);
  try {
    return await fetched(cache, request);
  } catch (error) {
    const kept = await cache.match(request, { ignoreVary: true });
    if (kept !== undefined) return kept;
    throw error;
  }
}

async function fetched(cache, request) {
  const answer = await fetch(request);
  const lasting = answer.type === "opaque" || (answer.ok && !/no-store|private/.test(answer.headers.get("Cache-Control") ?? ""));
  if (lasting) {
    await cache.put(request, answer.clone());
    const keys = await cache.keys();
    if (keys.length > MOST) await cache.delete(keys[0]);
  }
  return answer;
}
