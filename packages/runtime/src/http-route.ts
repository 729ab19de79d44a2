/** Answers requests for one path; what it throws becomes status 500 and a log line. */
export type HttpRoute = (request: HttpRequest) => Promise<HttpAnswer>;

/** What a route sees of a request. */
export type HttpRequest = {
  /** One of the route's methods, in upper case; "GET" or "HEAD" unless it names others. */
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The peer's IP address; one of IPv4 is written as IPv4 also when it came in over an IPv6 socket. */
  readonly remoteAddress: string;
  /** Aborts when the client goes away, when 30 seconds are over, and when the server cuts its connections. */
  readonly signal: AbortSignal;
};

/** What a route answers; `contentType` is "text/plain; charset=utf-8" by default. */
export type HttpAnswer = {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** A route that names its methods; GET brings HEAD with it. */
export type HttpMethodRoute = { readonly methods: readonly string[]; readonly answer: HttpRoute };

/** The routes by path, each with its methods written out. */
export function compileRoutes(
  routes: Readonly<Record<string, HttpRoute | HttpMethodRoute>>,
): ReadonlyMap<string, HttpMethodRoute> {
  const compiled = new Map<string, HttpMethodRoute>();
  for (const [path, route] of Object.entries(routes)) {
    const { methods, answer } = typeof route === "function" ? { methods: ["GET"], answer: route } : route;
    compiled.set(path, { methods: methods.includes("GET") ? [...new Set([...methods, "HEAD"])] : methods, answer });
  }
  return compiled;
}
