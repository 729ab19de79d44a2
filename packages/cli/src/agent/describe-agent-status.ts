import type { AgentStatus } from "@signet/agent";
import { formatDuration } from "@signet/runtime";
import { printable } from "../text/printable.ts";

type Identity = NonNullable<AgentStatus["identity"]>;
type Stream = AgentStatus["streams"][number];

/** Returns what an agent says of itself in lines for a person. */
export function describeAgentStatus(status: AgentStatus): string {
  const lines = [
    `agent      ${status.state}, SDS at ${status.socket}`,
    `CA         ${status.caAddresses.join(", ")}`,
    ...(status.identity === null ? ["identity   none yet"] : identityLines(status.identity)),
    ...(status.lastFailure === null ? [] : [`last error ${plain(status.lastFailure)}`]),
    ...streamLines(status.streams),
  ];
  return `${lines.join("\n")}\n`;
}

function identityLines(identity: Identity): readonly string[] {
  const left = identity.secondsLeft;
  const until = left > 0 ? `${formatDuration(left * 1000)} left` : `expired ${formatDuration(-left * 1000)} ago`;
  return [
    `identity   ${plain(identity.spiffeId)}`,
    `           serial ${identity.serialNumber}, until ${identity.notAfter} (${until})`,
    ...(identity.stale && left > 0 ? ["           from an earlier start: the CA has not answered since"] : []),
    ...Object.entries(identity.trustBundles).map(
      ([name, { subjects, sha256 }]) =>
        `trust      ${plain(name)}: ${plural(subjects.length, "root")}, ${sha256.slice(0, 16)}`,
    ),
  ];
}

function streamLines(streams: readonly Stream[]): readonly string[] {
  if (streams.length === 0) return ["clients    none"];
  return streams.map((stream, index) => {
    const names = stream.names.length === 0 ? "nothing yet" : stream.names.map(printable).join(", ");
    return `${index === 0 ? "clients   " : "          "} ${plain(stream.nodeId) || "(no name yet)"}: ${names}${verdict(stream)}`;
  });
}

function verdict({ sentVersion, acknowledgedVersion, rejection }: Stream): string {
  if (rejection !== null) return `, REJECTED: ${plain(rejection)}`;
  if (sentVersion === null) return "";
  return sentVersion === acknowledgedVersion ? ", taken" : ", not taken yet";
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** A client chooses its name, and must not draw on the terminal of who looks at it. */
function plain(text: string): string {
  return printable(JSON.stringify(text).slice(1, -1));
}
