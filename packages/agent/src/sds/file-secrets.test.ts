import { mkdir, mkdtemp, realpath, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { SecretSchema } from "@signet/protos/envoy/extensions/transport_sockets/tls/v3/secret";
import { FakeClock } from "@signet/runtime/testing";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFileSecrets } from "./file-secrets.ts";
import { createSecretBoard } from "./secret-board.ts";

let directory: string;
let clock: FakeClock;
let stop: AbortController;
let running: Promise<void> | undefined;
let lines: string[];

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "signet-file-secrets-")));
  clock = new FakeClock();
  stop = new AbortController();
  lines = [];
});

afterEach(async () => {
  stop.abort();
  await running?.catch(() => undefined);
  await rm(directory, { recursive: true, force: true });
});

function start() {
  const board = createSecretBoard("v");
  const files = createFileSecrets(
    { board },
    {
      clock,
      events: {
        loaded: ({ name }) => lines.push(`loaded ${plain(name)}`),
        unusable: ({ error }) => lines.push(plain(String(error))),
        tooMany: ({ limit }) => lines.push(`more than ${limit}`),
      },
    },
  );
  running = files.task.run(stop.signal);
  running.catch(() => undefined);
  return {
    board,
    files,
    textOf: (name: string) => textOf(board.snapshots.current()?.secrets.get(name)?.resource.value),
  };
}

function plain(text: string): string {
  return text.replaceAll(directory, "DIR");
}

/** Chain and roots as text; a key as the mark that there is one. */
function textOf(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined;
  const { type } = fromBinary(SecretSchema, value);
  if (type.case === "validationContext") return inlineText(type.value.trustedCa);
  if (type.case !== "tlsCertificate") return undefined;
  expect(inlineText(type.value.privateKey)).toContain("-----BEGIN PRIVATE KEY-----");
  return inlineText(type.value.certificateChain);
}

function inlineText(source: { specifier: { case: string | undefined; value?: unknown } } | undefined): string {
  const value = source?.specifier.case === "inlineBytes" ? source.specifier.value : undefined;
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : "";
}

/** A pair of files that belong together. */
async function newPair(): Promise<{ readonly certificate: string; readonly key: string }> {
  const { chain, key } = await testLeaf(await testRoot());
  return { certificate: chain.map(certificatePem).join(""), key: privateKeyPem(key, "traditional") };
}

async function write(files: Readonly<Record<string, string>>, into = directory): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(into, name), text, { mode: 0o600 });
}

/** One more look of the watch, by time, whether a notice came as well or not. */
async function look(): Promise<void> {
  await clock.untilSleepers();
  await clock.advance(20_000);
  await clock.untilSleepers();
}

describe("secrets in files", () => {
  it("are read when they are asked for, and forgotten when nobody asks any more", async () => {
    const { files, textOf } = start();
    const pair = await newPair();
    await write({ "tls.crt": pair.certificate, "tls.key": pair.key });
    const name = `file-cert:${directory}/tls.crt~${directory}/tls.key`;
    expect(textOf(name)).toBeUndefined();
    files.follow("a", ["default", name]);
    files.follow("b", [name]);
    await files.settled(["default", name]);
    expect(textOf(name)).toBe(pair.certificate);
    files.follow("a", []);
    expect(textOf(name)).toBe(pair.certificate);
    files.follow("b", []);
    expect(textOf(name)).toBeUndefined();
  });

  it("change with their files, and stay while the files do not belong together", async () => {
    const { files, textOf, board } = start();
    const [pair, next] = [await newPair(), await newPair()];
    await write({ "tls.crt": pair.certificate, "tls.key": pair.key });
    const name = `file-cert:${directory}/tls.crt~${directory}/tls.key`;
    files.follow("a", [name]);
    await files.settled([name]);
    const before = board.snapshots.current()?.secrets.get(name)?.revision;
    await write({ "tls.crt": next.certificate });
    await look();
    expect(textOf(name)).toBe(pair.certificate);
    await write({ "tls.key": next.key });
    await look();
    expect(textOf(name)).toBe(next.certificate);
    expect(board.snapshots.current()?.secrets.get(name)?.revision).not.toBe(before);
    await unlink(join(directory, "tls.key"));
    await look();
    expect(textOf(name)).toBe(next.certificate);
    expect(lines).toEqual([
      `loaded file-cert:DIR/tls.crt~DIR/tls.key`,
      "AgentError: DIR/tls.key is not the key of the certificate in DIR/tls.crt",
      `loaded file-cert:DIR/tls.crt~DIR/tls.key`,
      expect.stringContaining("ENOENT"),
    ]);
  });

  it("follow the links of a Kubernetes volume", async () => {
    const { files, textOf } = start();
    const [pair, next] = [await newPair(), await newPair()];
    for (const [version, { certificate, key }] of [
      ["..1", pair],
      ["..2", next],
    ] as const) {
      await mkdir(join(directory, version));
      await write({ "tls.crt": certificate, "tls.key": key }, join(directory, version));
    }
    await symlink("..1", join(directory, "..data"));
    for (const file of ["tls.crt", "tls.key"]) await symlink(join("..data", file), join(directory, file));
    const name = `file-cert:${directory}/tls.crt~${directory}/tls.key`;
    files.follow("a", [name]);
    await files.settled([name]);
    expect(textOf(name)).toBe(pair.certificate);
    await symlink("..2", join(directory, "..data_tmp"));
    await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    await look();
    expect(textOf(name)).toBe(next.certificate);
  });

  it("are roots, too, of a file or of the system", async () => {
    const { files, textOf } = start();
    const root = await testRoot();
    await write({ "ca.crt": `# roots\n${root.pem}${root.pem}` });
    const names = [`file-root:${directory}/ca.crt`, "file-root:system"];
    files.follow("a", names);
    await files.settled(names);
    expect(textOf(names[0] ?? "")).toBe(root.pem);
    expect(textOf("file-root:system") ?? lines[0]).toMatch(/BEGIN CERTIFICATE|trust store/);
  });

  it("say why they cannot be used, once, and never what is in the file", async () => {
    const { files, textOf } = start();
    const secret = "-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n";
    await write({ "tls.crt": secret, "tls.key": secret });
    const name = `file-cert:${directory}/tls.crt~${directory}/tls.key`;
    files.follow("a", [name]);
    await files.settled([name]);
    await look();
    expect(textOf(name)).toBeUndefined();
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain("SECRET");
  });

  it("are bounded in number", async () => {
    const { files } = start();
    const names = Array.from({ length: 10_000 }, (_, n) => `file-root:${directory}/${n}.pem`);
    files.follow("a", names);
    files.follow("b", names);
    await files.settled(names);
    expect(lines.filter((line) => line === "more than 512").length).toBeLessThanOrEqual(512);
    expect(lines.length).toBeLessThanOrEqual(1_024);
  });
});
