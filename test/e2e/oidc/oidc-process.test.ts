import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { spawnShell } from "../support/signet-process.ts";
import { createBrowser } from "./browser.ts";
import { clientSecret, startProvider } from "./test-provider.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const shop = "http://shop.example";

test("the example runs as its README says, logs somebody in, and ends when it is asked to", async () => {
  const directory = await mkdtemp(join(tmpdir(), "signet-oidc-"));
  const provider = await startProvider([shop]);
  const secretFile = join(directory, "shop.secret");
  await writeFile(secretFile, `${clientSecret}\n`, { mode: 0o600 });
  const flags = [
    ...["--issuer", provider.issuer, "--client-id", "shop", "--client-secret-file", secretFile],
    ...["--public-url", shop, "--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0"],
  ];
  const gateway = spawnShell(`${process.execPath} deploy/examples/oidc-login/main.ts ${flags.join(" ")}`, root);
  try {
    const [, url = ""] = await gateway.printed(/listening on (\S+)\n/);
    // Nobody is behind it: that it says so means that the login is through.
    expect(await createBrowser({ [shop]: url }).logIn(`${shop}/cart`)).toMatchObject({
      status: 502,
      url: `${shop}/cart`,
    });
    gateway.child.kill("SIGTERM");
    expect(await gateway.exit).toBe(0);
    expect(gateway.output.stderr + gateway.output.stdout).not.toContain("eyJ");
  } finally {
    gateway.child.kill("SIGKILL");
    await gateway.exit;
    await provider.close();
    await rm(directory, { recursive: true, force: true });
  }
});
