import type { FetchLike } from "./download.ts";

/** What names a proxy, as curl and npm read it; NO_PROXY lists hosts that are reached without. */
const proxyVariables = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] as const;

/**
 * The `fetch` for downloads: through the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), which Node's
 * own does not read before Node 24.
 */
export async function nodeFetch(environment: Readonly<NodeJS.ProcessEnv> = process.env): Promise<FetchLike> {
  if (!proxyVariables.some((name) => environment[name])) return fetch;
  const { EnvHttpProxyAgent, fetch: fetchThrough } = await import("undici");
  const dispatcher = new EnvHttpProxyAgent({
    httpProxy: environment.http_proxy || environment.HTTP_PROXY,
    httpsProxy: environment.https_proxy || environment.HTTPS_PROXY,
    noProxy: environment.no_proxy || environment.NO_PROXY,
  });
  return (url, options) => fetchThrough(url, { ...options, dispatcher });
}
