/** What a browser shows. */
export type Page = { readonly url: string; readonly status: number; readonly body: string; readonly headers: Headers };

/** A browser without scripts: it keeps cookies by origin, follows redirects, and fills in forms. */
export interface Browser {
  /** Cookies by origin and name; a test may write into it as an attacker would. */
  readonly cookies: Map<string, Map<string, string>>;
  /** Every `set-cookie` that has come. */
  readonly setCookies: string[];
  /** Asks for a page, and follows redirects until `stopAt` says to stop before a URL. */
  open(url: string, options?: OpenOptions): Promise<Page>;
  /** Opens a page, and does what the provider's forms ask for until it is back. */
  logIn(url: string, options?: OpenOptions & { readonly user?: string }): Promise<Page>;
}

/** How a page is asked for. */
export type OpenOptions = {
  readonly method?: "GET" | "POST";
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly stopAt?: (url: string) => boolean;
};

/** Returns a browser for which `hosts` lead to where they really are. */
export function createBrowser(hosts: Readonly<Record<string, string>>): Browser {
  const cookies = new Map<string, Map<string, string>>();
  const setCookies: string[] = [];

  async function request(url: URL, { method = "GET", form, headers = {} }: OpenOptions): Promise<Response> {
    const jar = cookies.get(url.origin) ?? new Map<string, string>();
    cookies.set(url.origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(`${hosts[url.origin] ?? url.origin}${url.pathname}${url.search}`, {
      ...{ method, redirect: "manual", body: form === undefined ? null : new URLSearchParams(form) },
      headers: { accept: "text/html", ...(cookie === "" ? {} : { cookie }), ...headers },
    });
    for (const line of response.headers.getSetCookie()) {
      setCookies.push(line);
      const [name = "", value = ""] = (line.split(";", 1)[0] ?? "").split(/=(.*)/s);
      if (value === "" || /max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  async function open(start: string, options: OpenOptions = {}): Promise<Page> {
    let url = new URL(start);
    let response = await request(url, options);
    for (let hops = 0; hops < 20; hops++) {
      const location = response.headers.get("location");
      const next = location === null ? undefined : new URL(location, url);
      if (next === undefined || options.stopAt?.(next.href)) {
        return {
          url: next?.href ?? url.href,
          status: response.status,
          body: await response.text(),
          headers: response.headers,
        };
      }
      await response.body?.cancel();
      url = next;
      response = await request(url, {});
    }
    throw new Error("too many redirects");
  }

  async function logIn(
    start: string,
    { user = "alice", ...options }: OpenOptions & { readonly user?: string } = {},
  ): Promise<Page> {
    let page = await open(start, options);
    for (let forms = 0; forms < 5 && page.url.includes("/interaction/"); forms++) {
      const prompt = /name="prompt" value="(\w+)"/.exec(page.body)?.[1] ?? "";
      const form = { prompt, ...(prompt === "login" ? { login: user, password: "any" } : {}) };
      const stop = options.stopAt === undefined ? {} : { stopAt: options.stopAt };
      page = await open(page.url, { method: "POST", form, ...stop });
    }
    return page;
  }

  return { cookies, setCookies, open, logIn };
}
