import type { Auth, Gateway } from "@signet/gateway";

/** The typed claims of the suite. */
export type ShopClaims = { readonly tenant: string };

/** What an application has of a request, through its framework. */
export type SeenRequest = {
  readonly auth: Auth<ShopClaims>;
  /** What users of the framework read: `req.auth`, `c.get("auth")` and the like. */
  readonly conventional: unknown;
  /** Names in lower case; repeated ones joined as the framework joins them. */
  readonly headers: ReadonlyMap<string, string>;
  /** Path and query; empty where there is none to see. */
  readonly path: string;
  readonly body: string;
};

/** The application; what it throws is thrown in the framework's handler. */
export type Application = (seen: SeenRequest) => void;

/** A request as it goes over the wire. */
export type SentRequest = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  readonly signal?: AbortSignal;
};

/** An answer; of an RPC, the HTTP status that stands for its code, and its message. */
export type Answer = { readonly status: number; readonly body: string; readonly headers: ReadonlyMap<string, string> };

/** A server under test. */
export type RunningServer = { send(request: SentRequest): Promise<Answer>; close(): Promise<void> };

/** A framework with its adapter. */
export type AdapterUnderTest = {
  readonly name: string;
  /** "http" for what has paths and methods of its own; an RPC has one path, and POST. */
  readonly kind: "http" | "rpc";
  /** What every path begins with; default none. */
  readonly root?: string;
  /** What the framework cannot do, with the reason. */
  readonly lacks?: {
    /** Repeated headers cannot be told apart. */
    readonly repeatedHeaders?: string;
    readonly query?: string;
    readonly requestTargets?: string;
  };
  start(gateway: Gateway<ShopClaims>, application: Application): Promise<RunningServer>;
};
