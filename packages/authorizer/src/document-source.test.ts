import { chmod, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DocumentSet } from "./document-set.ts";
import { type DocumentSource, openDocumentSource, readDocuments } from "./document-source.ts";
import { AuthorizerError } from "./errors.ts";

let parent: string;
let directory: string;
let clock: FakeClock;
let stop: AbortController;
let running: Promise<void>;
let events: string[];

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "signet-documents-"));
  directory = join(parent, "policies");
  await mkdir(directory);
  clock = new FakeClock();
  stop = new AbortController();
  running = Promise.resolve();
  events = [];
});

afterEach(async () => {
  stop.abort();
  await running.catch(() => undefined);
  await rm(parent, { recursive: true, force: true });
});

function jwt(name: string, issuer = "https://one.example"): string {
  return [
    "apiVersion: security.istio.io/v1",
    "kind: RequestAuthentication",
    `metadata: {name: ${name}, namespace: foo}`,
    `spec: {jwtRules: [{issuer: "${issuer}"}]}`,
    "",
  ].join("\n");
}

/** Refused, and yet it says which one it is. */
function broken(name: string): string {
  return jwt(name).replace("jwtRules", "jwtRule");
}

const garbage = "kind: RequestAuthentication\nmetadata: {name: x\n";

async function write(name: string, ...documents: readonly string[]): Promise<void> {
  await writeFile(join(directory, name), documents.join("---\n"));
}

/** Each document as its name and issuer, and how many are refused and kept. */
function shown({ documents, refused, kept }: DocumentSet): string {
  const names = documents.map((one) =>
    one.kind === "RequestAuthentication" ? `${one.name}=${one.jwtRules[0]?.issuer.slice(8, 11)}` : one.name,
  );
  return [...names.sort(), `refused ${refused.length}`, `kept ${kept.length}`].join(" ");
}

describe("readDocuments", () => {
  async function read(): Promise<string> {
    return shown(await readDocuments(directory));
  }

  test("reads one file, whatever it is called", async () => {
    await write("documents.txt", jwt("a"), jwt("b"));
    expect(shown(await readDocuments(join(directory, "documents.txt")))).toBe("a=one b=one refused 0 kept 0");
  });

  test("reads .yaml, .yml and .json files of a directory and those in it, and nothing that begins with a dot", async () => {
    await mkdir(join(directory, "more/deep"), { recursive: true });
    await mkdir(join(directory, ".git"));
    await write("a.yaml", jwt("a"));
    await write("more/b.yml", jwt("b"));
    const json = {
      apiVersion: "security.istio.io/v1",
      kind: "RequestAuthentication",
      metadata: { name: "c" },
      spec: {},
    };
    await write("more/deep/c.json", JSON.stringify(json));
    for (const name of [".hidden.yaml", ".git/d.yaml", "notes.txt", "f.yaml.bak"]) await write(name, jwt("other"));
    expect(await read()).toBe("a=one b=one c=undefined refused 0 kept 0");
  });

  test("follows links to files and directories, and reads no directory twice", async () => {
    await mkdir(join(parent, "elsewhere"));
    await writeFile(join(parent, "elsewhere/a.yaml"), jwt("a"));
    await writeFile(join(parent, "b"), jwt("b"));
    await symlink(join(parent, "elsewhere"), join(directory, "linked"));
    await symlink(directory, join(parent, "elsewhere/round"));
    await symlink(join(parent, "b"), join(directory, "b.yaml"));
    expect(await read()).toBe("a=one b=one refused 0 kept 0");
  });

  test("refuses one document alone, with its place", async () => {
    await write("a.yaml", jwt("a"), broken("b"), jwt("c"));
    const set = await readDocuments(directory);
    expect(shown(set)).toBe("a=one c=one refused 1 kept 0");
    const file = join(directory, "a.yaml");
    expect(set.refused[0]?.problems[0]).toMatchObject({ file, line: 9, path: "spec.jwtRule" });
  });

  test.each([
    ["that is not UTF-8", async (file: string) => writeFile(file, Buffer.from([0x23, 0xff]))],
    ["that is a link to nothing", async (file: string) => symlink("nowhere", file)],
    ["that is larger than 16 MiB", async (file: string) => writeFile(file, Buffer.alloc(16_777_217, " "))],
  ])("refuses a file %s as a document of which nothing is known", async (_, make) => {
    await write("a.yaml", jwt("a"));
    await make(join(directory, "b.yaml"));
    const set = await readDocuments(directory);
    expect(shown(set)).toBe("a=one refused 1 kept 0");
    expect(set.refused[0]?.kind).toBeUndefined();
    expect(set.refused[0]?.problems[0]?.message).toContain("cannot be read: ");
  });

  test("warns of a document that is in two files", async () => {
    await write("a.yaml", jwt("a"));
    await write("b.yaml", jwt("a", "https://two.example"));
    const { documents, warnings } = await readDocuments(directory);
    expect(documents).toHaveLength(2);
    expect(warnings).toMatchObject([{ file: join(directory, "b.yaml"), line: 1, path: "metadata" }]);
  });

  test("gives documents without a namespace the one it is told", async () => {
    await write("a.yaml", jwt("a").replace(", namespace: foo", ""));
    const { documents } = await readDocuments(directory, { namespace: "bar" });
    expect(documents[0]?.namespace).toBe("bar");
  });

  test("throws for a path that is not there", async () => {
    const error = await readDocuments(join(parent, "nothing")).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AuthorizerError);
    expect(error).toMatchObject({ code: "documents-unreadable" });
    expect(String(error)).toContain("there is nothing of that name");
  });

  test("throws for directories that are too deep", async () => {
    await mkdir(join(directory, ...Array.from({ length: 17 }, () => "d")), { recursive: true });
    await expect(readDocuments(directory)).rejects.toMatchObject({ code: "documents-too-many" });
  });
});

describe("openDocumentSource", () => {
  async function open(): Promise<DocumentSource> {
    const source = await openDocumentSource(
      { path: directory },
      { clock, events: { loaded: (set) => events.push(shown(set)), unreadable: () => events.push("unreadable") } },
    );
    running = source.task.run(stop.signal);
    await clock.untilSleepers();
    return source;
  }

  /** One look and what it waits for, whether it came by notice or because it was due. */
  async function look(): Promise<void> {
    await clock.advance(10_000);
    await clock.untilSleepers();
  }

  async function becomes(source: DocumentSource, expected: string): Promise<void> {
    for (let looks = 0; looks < 50 && now(source) !== expected; looks++) await look();
    expect(now(source)).toBe(expected);
  }

  async function stays(source: DocumentSource, expected: string): Promise<void> {
    for (let looks = 0; looks < 6; looks++) {
      await look();
      expect(now(source)).toBe(expected);
    }
  }

  function now(source: DocumentSource): string {
    const set = source.sets.current();
    return set === undefined ? "nothing" : shown(set);
  }

  test("swaps the set as a whole when files change, come and go", async () => {
    await write("a.yaml", jwt("a"), jwt("b"));
    const source = await open();
    const first = source.sets.current();
    await stays(source, "a=one b=one refused 0 kept 0");
    expect(source.sets.current()).toBe(first);
    await write("a.yaml", jwt("a", "https://two.example"));
    await write("c.yaml", jwt("c"));
    await becomes(source, "a=two c=one refused 0 kept 0");
    await unlink(join(directory, "a.yaml"));
    await becomes(source, "c=one refused 0 kept 0");
  });

  test("follows directories that come later", async () => {
    const source = await open();
    await mkdir(join(directory, "more"));
    await write("more/a.yaml", jwt("a"));
    await becomes(source, "a=one refused 0 kept 0");
  });

  test("keeps the last good version of a document that breaks, until it is mended or deleted", async () => {
    await write("a.yaml", jwt("a"), jwt("b"));
    const source = await open();
    await write("a.yaml", jwt("a", "https://two.example"), broken("b"));
    await becomes(source, "a=two b=one refused 0 kept 1");
    await write("a.yaml", jwt("a", "https://six.example"), broken("b"));
    await becomes(source, "a=six b=one refused 0 kept 1");
    await write("a.yaml", jwt("a"), jwt("b", "https://two.example"));
    await becomes(source, "a=one b=two refused 0 kept 0");
    await write("a.yaml", jwt("a"));
    await becomes(source, "a=one refused 0 kept 0");
  });

  test("keeps it also where it has been moved to another file", async () => {
    await write("a.yaml", jwt("a"));
    const source = await open();
    await write("b.yaml", broken("a"));
    await unlink(join(directory, "a.yaml"));
    await becomes(source, "a=one refused 0 kept 1");
  });

  test("refuses a document that never was good", async () => {
    await write("a.yaml", jwt("a"));
    const source = await open();
    await write("a.yaml", jwt("a"), broken("b"));
    await becomes(source, "a=one refused 1 kept 0");
  });

  test("keeps all that is missing from a file where what broke cannot be told", async () => {
    await write("a.yaml", jwt("a"), jwt("b"), jwt("c"));
    const source = await open();
    await write("a.yaml", jwt("a"), garbage);
    await becomes(source, "a=one b=one c=one refused 0 kept 1");
  });

  test("takes one document that cannot be told for one that is missing, and the next for a new one", async () => {
    await write("a.yaml", jwt("a"), jwt("b"));
    const source = await open();
    await write("a.yaml", jwt("a"), garbage, garbage);
    await becomes(source, "a=one b=one refused 1 kept 1");
    await write("a.yaml", jwt("a"), broken("b"), garbage);
    await becomes(source, "a=one b=one refused 1 kept 1");
  });

  test("keeps what a file held when it could be read", async () => {
    await write("a.yaml", jwt("a"));
    await write("b.yaml", "kind: Deployment\napiVersion: apps/v1\n");
    const source = await open();
    for (const name of ["a.yaml", "b.yaml"]) await writeFile(join(directory, name), Buffer.from([0xff]));
    await becomes(source, "a=one refused 0 kept 2");
    await write("b.yaml", jwt("b"));
    await becomes(source, "a=one b=one refused 0 kept 1");
  });

  test("keeps what a file held that has become empty, until it is gone", async () => {
    await write("a.yaml", jwt("a"), jwt("b"));
    await write("b.yaml", "");
    const source = await open();
    expect(now(source)).toBe("a=one b=one refused 0 kept 0");
    await write("a.yaml", "");
    await becomes(source, "a=one b=one refused 0 kept 1");
    await write("a.yaml", jwt("a", "https://two.example"));
    await becomes(source, "a=two refused 0 kept 0");
    await write("a.yaml", "");
    await becomes(source, "a=two refused 0 kept 1");
    await write("a.yaml", "# nothing");
    await becomes(source, "refused 0 kept 0");
  });

  test("waits for a file that is being written", async () => {
    const source = await open();
    for (let part = 1; part < 5; part++) {
      await write("a.yaml", ...Array.from({ length: part }, (_, at) => jwt(`d${at}`)));
      await clock.advance(299);
      await clock.untilSleepers();
      expect(now(source)).toBe("refused 0 kept 0");
    }
    await becomes(source, "d0=one d1=one d2=one d3=one refused 0 kept 0");
  });

  test("keeps the last set when the directory is gone, says so once, and comes back", async () => {
    await write("a.yaml", jwt("a"));
    const source = await open();
    await rename(directory, join(parent, "away"));
    await stays(source, "a=one refused 0 kept 0");
    expect(source.problem()).toMatchObject({ code: "documents-unreadable" });
    expect(events.filter((event) => event === "unreadable")).toHaveLength(1);
    await rename(join(parent, "away"), directory);
    await write("a.yaml", jwt("a", "https://two.example"));
    await becomes(source, "a=two refused 0 kept 0");
    expect(source.problem()).toBeUndefined();
  });

  test("keeps the last set when all files are gone, as where a volume is unmounted, until there is one that says so", async () => {
    await write("a.yaml", jwt("a"));
    const source = await open();
    await rm(join(directory, "a.yaml"));
    await stays(source, "a=one refused 0 kept 0");
    expect(source.problem()).toMatchObject({ code: "documents-unreadable" });
    await write("none.yaml", "# no policies\n");
    await becomes(source, "refused 0 kept 0");
    expect(source.problem()).toBeUndefined();
    await rm(join(directory, "none.yaml"));
    await clock.advance(20_000);
    expect(source.problem()).toBeUndefined();
  });

  test("reads a mounted ConfigMap from where ..data leads", async () => {
    const mount = async (name: string, ...texts: readonly string[]): Promise<void> => {
      await mkdir(join(directory, name));
      for (const [at, text] of texts.entries()) await write(`${name}/${at}.yaml`, text);
      await symlink(name, join(directory, "..data_tmp"));
      await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    };
    await mount("..2026_01", jwt("a"), jwt("b"));
    for (const name of ["0.yaml", "1.yaml"]) await symlink(`..data/${name}`, join(directory, name));
    const source = await open();
    expect(now(source)).toBe("a=one b=one refused 0 kept 0");
    await mount("..2026_02", jwt("a", "https://two.example"), jwt("b", "https://two.example"));
    await rm(join(directory, "..2026_01"), { recursive: true });
    await becomes(source, "a=two b=two refused 0 kept 0");
    expect(source.sets.current()?.documents[0]?.position.file).toBe(join(directory, "0.yaml"));
  });

  test("throws where there is no first set", async () => {
    await rm(directory, { recursive: true });
    await expect(openDocumentSource({ path: directory }, { clock })).rejects.toMatchObject({
      code: "documents-unreadable",
    });
  });

  test.skipIf(process.getuid?.() === 0)(
    "refuses a directory in it that may not be read (root may read all)",
    async () => {
      await mkdir(join(directory, "closed"), { mode: 0o000 });
      await expect(openDocumentSource({ path: directory }, { clock })).rejects.toMatchObject({
        code: "documents-unreadable",
      });
      await chmod(join(directory, "closed"), 0o700);
    },
  );
});
