import type { CustomAnswer, CustomProvider, CustomQuestion } from "@signet/authorizer";
import type { ExtensionProvider } from "@signet/documents";
import { errorMessage } from "@signet/runtime";
import { type GrpcProviderClient, openGrpcProvider } from "./grpc-provider.ts";
import { askHttpProvider } from "./http-provider.ts";

/** What asking reports; must not throw. */
export interface ProviderEvents {
  failed(event: { readonly provider: string; readonly failOpen: boolean; readonly error: unknown }): void;
}

/** The CUSTOM providers of a mesh config, and their connections. */
export interface ProviderBoard extends CustomProvider {
  close(): void;
}

/**
 * Returns the providers of a mesh config. One that is not there, or is there and invalid, or is of HTTP and asked about TCP, gives no
 * answer, and what is asked about is denied.
 */
export function openProviders(
  providers: readonly ExtensionProvider[],
  { events, timeoutMs }: { readonly events: ProviderEvents; readonly timeoutMs: number },
): ProviderBoard {
  const byName = new Map(providers.map((provider) => [provider.name, provider]));
  const clients = new Map<string, GrpcProviderClient>();
  for (const provider of providers)
    if (provider.kind === "grpc") clients.set(provider.name, openGrpcProvider(provider));

  async function ask(question: CustomQuestion, signal: AbortSignal): Promise<CustomAnswer> {
    const provider = byName.get(question.provider);
    if (provider === undefined || provider.kind === "invalid") {
      return unavailable(
        { provider: question.provider, failOpen: false },
        "the mesh config has no such provider that can be used",
      );
    }
    const limit = Math.min(provider.timeoutMs, timeoutMs);
    try {
      if (provider.kind === "http") return await askHttpProvider(provider, question, { timeoutMs: limit, signal });
      const client = clients.get(provider.name);
      if (client === undefined) throw new Error("the provider has no connection");
      return await client.ask(question, { timeoutMs: limit, signal });
    } catch (error) {
      signal.throwIfAborted();
      const { name, failOpen, statusOnError } = provider;
      return unavailable(
        { provider: name, failOpen, ...(statusOnError === undefined ? {} : { status: statusOnError }) },
        error,
      );
    }
  }

  function unavailable(
    { provider, ...about }: { readonly provider: string; readonly failOpen: boolean; readonly status?: number },
    error: unknown,
  ): CustomAnswer {
    events.failed({ provider, failOpen: about.failOpen, error });
    return { kind: "unavailable", ...about, detail: errorMessage(error) };
  }

  return {
    ask,
    close() {
      for (const client of clients.values()) client.close();
    },
  };
}
