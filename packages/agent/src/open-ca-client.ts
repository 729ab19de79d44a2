import { formatHostPort, type Logger } from "@signet/runtime";
import type { CaClient } from "./ca-client/ca-client.ts";
import { caEndpointOf } from "./ca-client/ca-endpoint.ts";
import { createFailoverCaClient } from "./ca-client/failover-ca-client.ts";
import { type CaClientEvents, createGrpcCaClient } from "./ca-client/grpc-ca-client.ts";
import type { TokenFileResult } from "./ca-client/token-file.ts";
import { agentEvents, logEvent } from "./events.ts";
import type { AgentSettings } from "./settings.ts";

const caDeadlineMs = 10_000;

/** One client of all addresses of the CA. */
export function openCaClient(
  settings: AgentSettings,
  { token, logger }: { readonly token: () => Promise<TokenFileResult>; readonly logger: Logger },
): CaClient & { close(): void } {
  const addresses = [settings.caAddress, ...settings.caFallbacks];
  const clients = addresses.map((caAddress) =>
    createGrpcCaClient(
      {
        ...settings,
        endpoint: caEndpointOf({ ...settings, caAddress }),
        token,
        headers: settings.caHeaders,
        deadlineMs: caDeadlineMs,
      },
      reportCaClient(settings.tokenFile, { caAddress: formatHostPort(caAddress), logger }),
    ),
  );
  const { createCertificate } = createFailoverCaClient(clients, {
    switched({ index, error }) {
      const caAddress = formatHostPort(addresses[index] ?? settings.caAddress);
      logEvent(logger, agentEvents.caSwitched, { caAddress, error });
    },
  });
  return {
    createCertificate,
    close() {
      for (const client of clients) client.close();
    },
  };
}

function reportCaClient(
  tokenFile: string,
  { caAddress, logger }: { readonly caAddress: string; readonly logger: Logger },
): CaClientEvents {
  return {
    tokenUnavailable: ({ reason }) => logEvent(logger, agentEvents.tokenUnavailable, { tokenFile, reason }),
    connecting: ({ serverName }) => logEvent(logger, agentEvents.caConnectionOpened, { caAddress, serverName }),
  };
}
