import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "./clock.ts";
import { FakeClock } from "./fake-clock.ts";
import { directoriesOf, type WatchFilesOptions, watchFiles } from "./watch-files.ts";

let directory: string;
let stop: AbortController;
let running: Promise<void> | undefined;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "signet-watch-")));
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await running?.catch(() => undefined);
  await rm(directory, { recursive: true, force: true });
});

/** A watch that counts its looks. */
function start(options: Partial<WatchFilesOptions>, clock: FakeClock | typeof systemClock) {
  let looks = 0;
  const refused: string[] = [];
  const { task, lookAgain } = watchFiles(
    {
      name: "watch",
      directories: () => [directory],
      look: async () => {
        looks += 1;
      },
      ...options,
    },
    { clock, noticeUnavailable: (event) => refused.push(event.directory) },
  );
  running = task.run(stop.signal);
  running.catch(() => undefined);
  return { looks: () => looks, refused, lookAgain };
}

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe("watchFiles", () => {
  it("looks at once, and again by itself after the longest time between two looks", async () => {
    const clock = new FakeClock();
    const watch = start({ directories: () => [], pollMs: 5_000 }, clock);
    await clock.untilSleepers();
    expect(watch.looks()).toBe(1);
    await clock.advance(4_999);
    expect(watch.looks()).toBe(1);
    await clock.advance(1);
    expect(watch.looks()).toBe(2);
  });

  it("looks after a notice, once the directory rests", async () => {
    const watch = start({ pollMs: 3_600_000, settleMs: 5 }, systemClock);
    await eventually(() => watch.looks() === 1);
    await writeFile(join(directory, "a"), "1");
    await eventually(() => watch.looks() >= 2);
  });

  it("looks when told to, and only once the rest is over", async () => {
    const clock = new FakeClock();
    const watch = start({ directories: () => [], settleMs: 200 }, clock);
    await clock.untilSleepers();
    watch.lookAgain();
    await clock.advance(199);
    expect(watch.looks()).toBe(1);
    await clock.advance(1);
    expect(watch.looks()).toBe(2);
  });

  it("is not kept from looking by somebody who writes without a pause", async () => {
    const clock = new FakeClock();
    const watch = start({ directories: () => [], settleMs: 100 }, clock);
    await clock.untilSleepers();
    for (let n = 0; n < 15; n += 1) {
      watch.lookAgain();
      await clock.advance(100);
    }
    expect(watch.looks()).toBeGreaterThan(1);
  });

  it("tells once of a directory without notices, and looks all the same", async () => {
    const clock = new FakeClock();
    const watch = start({ directories: () => [join(directory, "gone")], pollMs: 1_000 }, clock);
    await clock.untilSleepers();
    await clock.advance(3_000);
    await eventually(() => watch.looks() === 4);
    expect(watch.refused).toEqual([join(directory, "gone")]);
  });

  it("ends with what a look throws", async () => {
    const look = async (): Promise<void> => {
      throw new Error("broken");
    };
    start({ look }, new FakeClock());
    await expect(running).rejects.toThrow("broken");
  });
});

describe("directoriesOf", () => {
  it("names the directory of a file, of a link, and of what it leads to", async () => {
    await mkdir(join(directory, "..1"));
    await writeFile(join(directory, "..1", "key.pem"), "1");
    await symlink("..1", join(directory, "..data"));
    await symlink(join("..data", "key.pem"), join(directory, "key.pem"));
    expect(await directoriesOf([join(directory, "key.pem"), join(directory, "key.pem")])).toEqual([
      directory,
      join(directory, "..1"),
    ]);
    await mkdir(join(directory, "..2"));
    await writeFile(join(directory, "..2", "key.pem"), "2");
    await symlink("..2", join(directory, "..next"));
    await rename(join(directory, "..next"), join(directory, "..data"));
    expect(await directoriesOf([join(directory, "key.pem")])).toEqual([directory, join(directory, "..2")]);
    expect(await directoriesOf(["/nowhere/at/all.pem"])).toEqual(["/nowhere/at"]);
  });
});
