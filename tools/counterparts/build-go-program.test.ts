import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { etcdVersion, kubernetesVersion } from "../ensure-kube-apiserver.ts";
import { vaultVersion } from "../ensure-vault.ts";
import { readRepositoryFile } from "../workspace.ts";
import { buildGoProgram, type GoProgram, type GoProgramSearch, programPath } from "./build-go-program.ts";

let directory: string;
let said: string[];
const progress = (line: string): unknown => said.push(line);
const signal = new AbortController().signal;

beforeEach(async () => {
  said = [];
  directory = await mkdtemp(join(tmpdir(), "signet-go-"));
  await mkdir(join(directory, "bin"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Puts a `go` on the PATH whose `build` runs these lines of shell; `$output` is the file that is to be made. */
async function installGo(build: string): Promise<void> {
  const script = `#!/bin/sh
[ "$1" = version ] && exit 0
for argument; do [ "$previous" = -o ] && output=$argument; previous=$argument; done
mkdir -p "$(dirname "$output")"
${build}
`;
  await writeFile(join(directory, "bin/go"), script);
  await chmod(join(directory, "bin/go"), 0o755);
}
const makesBinary = 'printf "#!/bin/sh\\n" >"$output"; chmod +x "$output"';

async function program(name: string, goSum = "pins\n"): Promise<GoProgram> {
  const module = join(directory, `module-${name}`);
  await mkdir(module, { recursive: true });
  await writeFile(join(module, "go.mod"), `module test/${name}\n`);
  await writeFile(join(module, "go.sum"), goSum);
  await writeFile(join(module, "tools.go"), "package tools\n");
  return {
    ...{ name, title: `${name} 1.0.0`, version: "1.0.0", directory: module, mainPackage: `example.test/${name}` },
    ...{ ldflags: "-s -w", duration: "a moment", override: "TEST_GO_PROGRAM" },
  };
}

async function find(wanted: GoProgram, env: Record<string, string> = {}): Promise<GoProgramSearch> {
  const surroundings = { PATH: `${join(directory, "bin")}:/usr/bin:/bin`, SIGNET_CACHE: join(directory, "cache") };
  return await buildGoProgram(wanted, { env: { ...surroundings, ...env }, progress }, signal);
}

test("builds once, with nothing but the pinned sources", async () => {
  await installGo(`env >"${directory}/env"; echo "$PWD" "$@" >>"${directory}/calls"; ${makesBinary}`);
  const wanted = await program("one");
  const found = await find(wanted, { GOFLAGS: "-mod=mod", GOWORK: "/elsewhere" });
  const path = found.kind === "found" ? found.path : "";
  expect(path).toMatch(/\/cache\/one\/1\.0\.0-[0-9a-f]{12}\/one$/);
  expect(await find(wanted)).toEqual(found);
  expect(said).toEqual(["building one 1.0.0 from source, once; this takes a moment"]);
  const flags = `build -trimpath -ldflags -s -w -o ${dirname(path)}.making/one example.test/one`;
  expect(await readFile(join(directory, "calls"), "utf8")).toBe(`${wanted.directory} ${flags}\n`);
  const env = (await readFile(join(directory, "env"), "utf8")).split("\n");
  expect(env).toEqual(expect.arrayContaining(["CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off"]));
  expect(await readdir(dirname(dirname(path)))).toHaveLength(1);
});

test("other pins are another binary", async () => {
  await installGo(makesBinary);
  const before = await find(await program("one"));
  const after = await find(await program("one", "other pins\n"));
  expect([before.kind, after.kind]).toEqual(["found", "found"]);
  expect(after).not.toEqual(before);
});

test("a build that fails says why and leaves nothing", async () => {
  await installGo(`${makesBinary}; echo "go: downloading a" >&2; echo "no space left" >&2; exit 3`);
  const found = await find(await program("one"));
  expect(found).toEqual({ kind: "failed", reason: "one 1.0.0 cannot be built: go build ended with 3: no space left" });
  expect(await readdir(join(directory, "cache/one"))).toEqual([]);
  const options = (env: Record<string, string>) => ({ env, progress });
  expect(programPath(found, options({}))).toBeUndefined();
  expect(() => programPath(found, options({ CI: "true" }))).toThrow("no space left");
});

test("without Go there is a sentence, in CI too", async () => {
  const found = await find(await program("one"), { PATH: join(directory, "bin") });
  expect(found.kind).toBe("no-go");
  expect(programPath(found, { env: { CI: "true" }, progress })).toBeUndefined();
  expect(said.join()).toContain("there is no Go here; set TEST_GO_PROGRAM");
});

test("whoever names a binary gets it, or hears that it cannot be run", async () => {
  const wanted = await program("one");
  expect(await find(wanted, { TEST_GO_PROGRAM: "/bin/sh" })).toEqual({ kind: "found", path: "/bin/sh" });
  expect((await find(wanted, { TEST_GO_PROGRAM: join(directory, "none") })).kind).toBe("failed");
});

test("goes on where a build was killed", async () => {
  await installGo(makesBinary);
  const wanted = await program("one");
  const first = await find(wanted);
  const home = dirname(first.kind === "found" ? first.path : "");
  await rm(home, { recursive: true });
  await mkdir(`${home}.making`);
  await writeFile(join(`${home}.making`, "junk"), "");
  expect(await find(wanted)).toEqual(first);
  expect(await readdir(home)).toEqual(["one"]);
});

test("builds one at a time, whoever asks, and the same thing only once", async () => {
  const log = join(directory, "log");
  await installGo(`echo start >>"${log}"; sleep 0.1; ${makesBinary}; echo end >>"${log}"`);
  const [one, two] = [await program("one"), await program("two")];
  const found = await Promise.all([find(one), find(one), find(two)]);
  expect(found.map(({ kind }) => kind)).toEqual(["found", "found", "found"]);
  expect(await readFile(log, "utf8")).toBe("start\nend\nstart\nend\n");
  expect(said.filter((line) => line.startsWith("waiting"))).toHaveLength(2);
});

test.each([
  ["vault", `github.com/hashicorp/vault v${vaultVersion}`],
  ["kubernetes", `k8s.io/kubernetes v${kubernetesVersion}`],
  ["etcd", `go.etcd.io/etcd/server/v3 v${etcdVersion}`],
])("the version that is named is the one that %s pins", (name, requirement) => {
  expect(readRepositoryFile(`tools/counterparts/${name}/go.mod`)).toContain(`\nrequire ${requirement}\n`);
});
