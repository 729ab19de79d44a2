import type { MeshSite } from "./control-plane.ts";
import type { DemoOptions } from "./demo-options.ts";
import { ensureEnvoy } from "./ensure-envoy.ts";
import { type KnockOutcome, knock } from "./knock.ts";
import { type Mesh, startMesh } from "./mesh.ts";
import { playPolicy } from "./play-policy.ts";
import { createReport, type DemoFindings, expected } from "./report.ts";
import type { InboundSidecar } from "./sidecar.ts";
import type { Sightings } from "./sightings.ts";
import { createStrangers, type IssueCredentials, issueFromState, type Stranger } from "./strangers.ts";
import { sendTraffic, type TrafficTotals } from "./traffic.ts";
import { prepareVaultCa, type VaultCa } from "./vault/prepare-vault-ca.ts";
import type { VaultServer } from "./vault/vault-server.ts";

/** What the acts need, and the findings they write down as they go. */
export type ActsOptions = DemoOptions & {
  readonly site: MeshSite;
  readonly findings: { -readonly [name in keyof Omit<DemoFindings, "playedOut" | "seconds">]: DemoFindings[name] };
  /** Takes whatever must be stopped in the end. */
  readonly stack: AsyncDisposableStack;
};

const lifetime = "10s";
const trafficMinMs = 20_000;
// Three rotations of 10-second certificates take about 16 seconds; what has not rotated after 45 does not rotate.
const trafficMaxMs = 45_000;

/** Plays the demo: mesh, traffic, strangers, policy. Returns the mesh, which still runs; rejects when an act cannot go on. */
export async function playActs(options: ActsOptions, signal: AbortSignal): Promise<Mesh> {
  const { timeline, findings } = options;
  const envoy = await findEnvoy(options, signal);
  const onProgress = (text: string): void => timeline.say(text);
  const vaultCa = options.vault && (await playVault(options, options.vault));
  const caEnvironment = vaultCa?.environment ?? {};
  const mesh = await startMesh(options.site, { envoy, lifetime, caEnvironment, onProgress }, signal);
  options.stack.defer(() => mesh.stop());

  timeline.say("traffic: 50 requests a second, half over one kept connection, half over a new one for every five");
  findings.traffic = await playTraffic(mesh, findings.sightings, signal);
  tellTraffic(options, findings.traffic);

  if (options.vault && vaultCa) await tellVault(options, options.vault, vaultCa);

  const issueOurs = vaultCa?.issueAsOperator ?? (await issueFromState(mesh.controlPlane.addresses.stateDirectory));
  findings.strangersRefused = await playStrangers(options, { mesh, issueOurs }, signal);
  findings.policy = await playPolicy({ timeline, mesh, issueOurs }, signal);
  return mesh;
}

async function playVault({ timeline, site }: ActsOptions, vault: VaultServer): Promise<VaultCa> {
  const whose = vault.own === undefined ? "that of VAULT_ADDR" : "TLS, Raft storage, initialised and unsealed";
  timeline.say(`Vault ${vault.version} on ${vault.address}, ${whose}`);
  const ca = await prepareVaultCa(vault, { directory: site.directory });
  timeline.say(`${ca.issuer} signs in it, below a root; the CA server may do what docs/vault.md says and no more`);
  return ca;
}

/** Writes down and tells what Vault itself says of the certificates that were shown. */
async function tellVault(options: ActsOptions, { version }: VaultServer, { issuer, log }: VaultCa): Promise<void> {
  const { timeline, findings } = options;
  findings.vault = { version, issuer, signatures: await log?.signatures() };
  const { signedBy, vault } = createReport({ ...findings, playedOut: false, seconds: 0 });
  const seen = `both sides showed certificates of ${signedBy}`;
  if (!vault?.signatures) {
    timeline.say(`${seen}; the log of this Vault is not ours to read`, signedBy === issuer ? "good" : "bad");
    return;
  }
  const { frontend, backend } = vault.signatures;
  const unknown = vault.unknown === 0 ? "every one that was shown" : `all that were shown but ${vault.unknown}`;
  timeline.say(
    `${seen}; Vault's audit log has ${frontend} for the frontend and ${backend} for the backend, among them ${unknown}`,
    signedBy === issuer && vault.unknown === 0 ? "good" : "bad",
  );
}

async function findEnvoy(options: ActsOptions, signal: AbortSignal): Promise<string | undefined> {
  const envoy = await ensureEnvoy({ env: options.env, progress: options.warn }, signal);
  if (envoy.kind === "unavailable") {
    options.timeline.say(`no Envoy, so Node's TLS speaks for both sides: ${envoy.reason}`, "bad");
    return undefined;
  }
  options.findings.envoyVersion = envoy.version;
  options.timeline.say(`Envoy ${envoy.version} (${envoy.path})`);
  return envoy.path;
}

async function playTraffic(mesh: Mesh, sightings: Sightings, signal: AbortSignal): Promise<TrafficTotals> {
  const startedAt = performance.now();
  const done = (): boolean => {
    const ms = performance.now() - startedAt;
    const rotations = Math.min(sightings.rotations("frontend"), sightings.rotations("backend"));
    return (ms >= trafficMinMs && rotations >= expected.rotations) || ms >= trafficMaxMs;
  };
  const totals = await sendTraffic({ outbound: mesh.outbound.address, done, onSighting: sightings.add }, signal);
  // The frontend's sidecar sees every connection that the other side ends, also one that no request was waiting for.
  const ended = await mesh.outbound.connectionsEndedByBackend(signal);
  return { ...totals, connectionsLost: Math.max(totals.connectionsLost, ended) };
}

function tellTraffic({ timeline }: ActsOptions, totals: TrafficTotals): void {
  const { requests, connections, failures, connectionsLost } = totals;
  const bad = failures + connectionsLost > 0;
  timeline.say(
    `${requests} requests over ${connections} connections: ${failures} failed, ${connectionsLost} connections lost`,
    bad ? "bad" : "good",
  );
  for (const reason of totals.reasons) {
    timeline.say(reason, "bad");
  }
}

async function playStrangers(
  options: ActsOptions,
  { mesh, issueOurs }: { readonly mesh: Mesh; readonly issueOurs: IssueCredentials },
  signal: AbortSignal,
): Promise<number> {
  const { strangers, control } = await createStrangers(issueOurs);
  let refused = 0;
  for (const stranger of strangers) {
    refused += (await tryStranger(options, mesh.inbound, { stranger, signal })) ? 1 : 0;
  }
  const welcome = await knock(mesh.inbound.address, control.credentials);
  if (welcome.kind !== "answered" || welcome.status !== 200) {
    throw new Error(`${control.name} was not let in either (${describe(welcome)}), so no refusal proves anything`);
  }
  options.timeline.say(`let in, by the same knock: ${control.name}`, "good");
  return refused;
}

/** Whether the stranger was refused, and for the reason it must be refused for. */
async function tryStranger(
  { timeline }: ActsOptions,
  inbound: InboundSidecar,
  { stranger, signal }: { readonly stranger: Stranger; readonly signal: AbortSignal },
): Promise<boolean> {
  const before = await inbound.refusals(signal);
  const outcome = await knock(inbound.address, stranger.credentials);
  const after = await inbound.refusals(signal);
  if (outcome.kind !== "refused") {
    timeline.say(`NOT refused: ${stranger.name} (${describe(outcome)})`, "bad");
    return false;
  }
  if (after[stranger.reason] === before[stranger.reason]) {
    timeline.say(`refused for another reason than it should be: ${stranger.name} (${outcome.how})`, "bad");
    return false;
  }
  timeline.say(`refused: ${stranger.name} (${outcome.how})`, "good");
  return true;
}

function describe(outcome: KnockOutcome): string {
  switch (outcome.kind) {
    case "answered":
      return `answered ${outcome.status}`;
    case "refused":
      return outcome.how;
    case "unreachable":
      return outcome.why;
  }
}
