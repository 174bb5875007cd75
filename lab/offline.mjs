// The lab's service worker: what was loaded once is there without a network. Before it, lab/build.mjs writes `self.lab`: the version and the
// names of all files but the engine's, which is kept when it was used (14 MB).
/* global self, caches */
const { version, files } = self.lab;
const name = `lab ${self.registration.scope} ${version}`;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(name)
      .then((cache) => cache.addAll(files))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const ours = `lab ${self.registration.scope} `;
  event.waitUntil(
    caches
      .keys()
      .then((names) =>
        Promise.all(
          names.filter((each) => each.startsWith(ours) && each !== name).map((each) => caches.delete(each)),
        ),
      )
      .then(() => self.clients.claim()),
  );
});

/** From the network, and kept. */
async function fetched(request) {
  const response = await fetch(request);
  if (response.ok) await (await caches.open(name)).put(request, response.clone());
  return response;
}

const kept = async (request) =>
  (await caches.open(name)).match(request, { ignoreSearch: request.mode === "navigate" });

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  // Parts are named after their content; all else may be newer on the network.
  const isFixed = /\/(parts|engine)\//.test(request.url);
  event.respondWith(
    isFixed
      ? kept(request).then((found) => found ?? fetched(request))
      : fetched(request).catch(async (error) => {
          const found = await kept(request);
          if (found) return found;
          throw error;
        }),
  );
});
