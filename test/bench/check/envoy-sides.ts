import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDocuments, parseWorkload } from "@signet/documents";
import { connectionManagerFields, workloadFilters } from "@signet/envoy-config";
import { createIdentities, type Identities } from "../../differential/policies/identities.ts";
import { connectionManager, extAuthz, grpcClusterAt } from "../../differential/support/bootstrap.ts";
import { startEnvoyProcess } from "../../differential/support/envoy-process.ts";
import type { AskedServer } from "./asked-server.ts";
import { authority, bearer, forbiddenPath, headers, path, principal, workload } from "./bench-request.ts";
import { askInTurns, concurrency, type Side } from "./check-side.ts";
import { type CallerTls, type Http1Caller, openHttp1Caller, throughBody } from "./http1-caller.ts";

const roundMs = 400;

/** What one listener of the Envoy decides by, and what its requests bear. */
export type EnvoyRole = {
  readonly name: string;
  /** Whom it asks, or what it knows itself; neither where it lets everything through. */
  readonly asks?: AskedServer;
  readonly documents?: string;
  /** Whether it or whom it asks has policies, and an issuer where requests bear a token; else everything is let through. */
  readonly decides: boolean;
  readonly bearsToken: boolean;
};

/** One Envoy with one worker, and a listener for each role. */
export type EnvoySides = {
  /** By the name of the role. */
  readonly sides: ReadonlyMap<string, Side>;
  stop(): Promise<void>;
};

/** Starts it, opens the connections, and sees that every listener refuses what it should. */
export async function startEnvoySides(
  binary: string,
  directory: string,
  roles: readonly EnvoyRole[],
): Promise<EnvoySides> {
  const identities = await createIdentities();
  const clusters = roles.flatMap(({ asks }, index) => (asks ? [grpcClusterAt(`authz-${index}`, asks.path)] : []));
  const listeners = roles.map((role, index) => listenerOf(index, filtersOf(role, index), identities));
  const home = join(directory, "envoy");
  await mkdir(home);
  const bootstrap = { staticResources: { clusters, listeners } };
  const envoy = await startEnvoyProcess({ binary, directory: home, bootstrap });
  const opened: Http1Caller[] = [];
  const stop = async (): Promise<void> => {
    for (const caller of opened) caller.close();
    await envoy.stop();
  };
  try {
    const ports = readPorts(await envoy.ask("/listeners?format=json"));
    const tls = { ca: identities.rootPem, ...(await identities.clientOf(principal)) };
    const sides = new Map<string, Side>();
    for (const [index, role] of roles.entries()) {
      const callers = await openCallers(ports.get(`listener-${index}`) ?? 0, tls);
      opened.push(...callers);
      await checkRefusals(role, callers[0]);
      sides.set(
        role.name,
        sideOf(role, callers, () => cpuMicrosOf(envoy.pid)),
      );
    }
    return { sides, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function filtersOf({ asks, documents }: EnvoyRole, index: number): readonly object[] {
  if (asks !== undefined) return [extAuthz(`authz-${index}`)];
  if (documents === undefined) return [];
  const parsed = parseDocuments(documents, { file: "bench.yaml" });
  const { filters, warnings } = workloadFilters(parsed.documents, parseWorkload(workload));
  if (warnings.length > 0) throw new Error(warnings.join("; "));
  return filters;
}

function listenerOf(index: number, filters: readonly object[], { rootPem, server }: Identities): object {
  const routes = [{ match: { prefix: "" }, directResponse: { status: 200, body: { inlineString: throughBody } } }];
  const manager = connectionManager(filters, {
    ...connectionManagerFields({ listener: "inbound" }),
    routeConfig: { virtualHosts: [{ name: "all", domains: ["*"], routes }] },
  });
  const tls = {
    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
    requireClientCertificate: true,
    commonTlsContext: {
      tlsCertificates: [{ certificateChain: { inlineString: server.cert }, privateKey: { inlineString: server.key } }],
      validationContext: { trustedCa: { inlineString: rootPem } },
      alpnProtocols: ["http/1.1"],
    },
  };
  return {
    name: `listener-${index}`,
    address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
    filterChains: [{ filters: [manager], transportSocket: { name: "envoy.transport_sockets.tls", typedConfig: tls } }],
  };
}

function readPorts(json: string): ReadonlyMap<string, number> {
  type Listing = {
    readonly listener_statuses: readonly {
      readonly name: string;
      readonly local_address: { readonly socket_address: { readonly port_value: number } };
    }[];
  };
  const listing: Listing = JSON.parse(json);
  return new Map(
    listing.listener_statuses.map((status) => [status.name, status.local_address.socket_address.port_value]),
  );
}

async function openCallers(port: number, tls: CallerTls): Promise<readonly Http1Caller[]> {
  return await Promise.all(Array.from({ length: concurrency }, () => openHttp1Caller(port, tls)));
}

function requestOf(target: string, added: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ host: authority, ...headers, ...added }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return `GET ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

const tokenOf = ({ bearsToken }: EnvoyRole): Readonly<Record<string, string>> =>
  bearsToken ? { authorization: bearer } : {};

/** Throws, since what lets more through is not measured beside what does not. */
async function checkRefusals(role: EnvoyRole, caller: Http1Caller | undefined): Promise<void> {
  const expected: (readonly [number, string, string])[] = [[200, throughBody, requestOf(path, tokenOf(role))]];
  if (role.decides) expected.push([403, "RBAC: access denied", requestOf(forbiddenPath, tokenOf(role))]);
  if (role.decides && role.bearsToken) {
    const forged = `${bearer.slice(0, -8)}AAAAAAAA`;
    expected.push([401, "Jwt verification fails", requestOf(path, { authorization: forged })]);
  }
  for (const [status, body, request] of expected) {
    const answered = await caller?.ask(request, body);
    if (answered !== status) throw new Error(`${role.name} answers ${answered} where it is ${status}`);
  }
}

function sideOf(role: EnvoyRole, callers: readonly Http1Caller[], envoyCpu: () => Promise<number>): Side {
  const { name, asks } = role;
  const request = requestOf(path, tokenOf(role));
  const asking = callers.map((caller) => async (): Promise<void> => {
    const status = await caller.ask(request, throughBody);
    if (status !== 200) throw new Error(`${name} answered ${status}`);
  });
  const spent = async (): Promise<readonly [number, number]> => [await envoyCpu(), (await asks?.cpuMicros()) ?? 0];
  return {
    name,
    async round() {
      const [envoyBefore, askedBefore] = await spent();
      const end = performance.now() + roundMs;
      const { count, p99Micros } = await askInTurns(asking, () => performance.now() < end);
      const [envoyAfter, askedAfter] = await spent();
      const askedMicros = (askedAfter - askedBefore) / count;
      const cpuMicros = (envoyAfter - envoyBefore) / count + askedMicros;
      return { cpuMicros, ...(asks && { askedMicros }), p99Micros };
    },
  };
}

/**
 * User and system time of all threads. `/proc/<pid>/stat` has the same in hundredths of a second, which is too coarse for a round;
 * Envoy's threads stay, so that none takes its time with it.
 */
async function cpuMicrosOf(pid: number): Promise<number> {
  const tasks = `/proc/${pid}/task`;
  const texts = await Promise.all(
    (await readdir(tasks)).map((thread) => readFile(join(tasks, thread, "schedstat"), "latin1")),
  );
  return texts.reduce((sum, text) => sum + Number(text.split(" ")[0]) / 1000, 0);
}
