import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { RuntimeError } from "./errors.ts";
import { createLogger, type Logger, type LogLevel, logLevels } from "./logger.ts";

function capture(level: LogLevel): { logger: Logger; lines: () => Record<string, unknown>[]; text: () => string } {
  const written: string[] = [];
  const logger = createLogger({ name: "test", level, destination: { write: (line) => void written.push(line) } });
  return { logger, lines: () => written.map((line) => JSON.parse(line)), text: () => written.join("") };
}

describe("createLogger", () => {
  it("writes one JSON object a line: level, time, scope, fields, message", () => {
    const { logger, lines, text } = capture("info");
    logger.info("listening\n", { port: 15012 });
    expect(text().split("\n")).toHaveLength(2);
    expect(lines()).toEqual([
      { level: "info", time: expect.stringMatching(/^\d{4}-.*Z$/), scope: "test", port: 15012, msg: "listening\n" },
    ]);
  });

  it.each(logLevels.map((level, index) => [level, logLevels.slice(index)] as const))(
    "at %s writes %j",
    (level, written) => {
      const { logger, lines } = capture(level);
      for (const one of logLevels) logger[one]("hello");
      expect(lines().map((line) => line.level)).toEqual(written);
    },
  );

  it("adds bound fields, inner ones over outer ones", () => {
    const { logger, lines } = capture("info");
    logger
      .with({ a: 1, b: 1 })
      .with({ b: 2 })
      .info("hello", { c: new Error("x") });
    expect(lines()[0]).toMatchObject({ a: 1, b: 2, c: { message: "x" } });
    logger.with({ cause: new Error("bound") }).info("hello");
    expect(lines()[1]).toMatchObject({ cause: { message: "bound" } });
  });

  it("keeps the number of an error that has one for a code, as a gRPC status", () => {
    const { logger, lines } = capture("info");
    logger.error("failed", { error: Object.assign(new Error("away"), { code: 14 }) });
    expect(lines()[0]?.error).toEqual({ name: "Error", code: 14, message: "away" });
  });

  it("describes errors with code and causes, without a stack", () => {
    const { logger, lines, text } = capture("info");
    const root = Object.assign(new Error("no such file"), { code: "ENOENT" });
    const error = new RuntimeError("file-unreadable", "cannot read /x", { cause: root });
    logger.error("start failed", { error });
    expect(lines()[0]?.error).toEqual({
      name: "RuntimeError",
      code: "file-unreadable",
      message: "cannot read /x",
      cause: { name: "Error", code: "ENOENT", message: "no such file" },
    });
    expect(text()).not.toContain("stack");
  });

  it("shows stacks at debug, also of causes", () => {
    const { logger, lines } = capture("debug");
    logger.error("start failed", { error: new Error("outer", { cause: new Error("inner") }) });
    expect(lines()[0]).toMatchObject({
      error: { stack: expect.stringContaining("outer"), cause: { stack: expect.stringContaining("inner") } },
    });
  });

  it("describes the errors of an AggregateError, and a cause that is no error", () => {
    const { logger, lines } = capture("info");
    logger.error("failed", { error: new AggregateError([new Error("a")], "all", { cause: "text" }) });
    expect(lines()[0]).toMatchObject({ error: { errors: [{ message: "a" }], cause: "text" } });
  });

  it("ends a circular chain of causes", () => {
    const { logger, lines } = capture("info");
    const error = new Error("loop");
    error.cause = error;
    logger.error("failed", { error });
    expect(JSON.stringify(lines()[0]).split("loop")).toHaveLength(9);
  });

  it("counts bytes, cuts long text, prints big integers, and keeps its own names", () => {
    const { logger, lines } = capture("info");
    logger.info("hello", {
      key: Buffer.from("secret"),
      keys: [new Uint8Array(3)],
      nested: { key: Buffer.from("secret") },
      pem: "x".repeat(10_000),
      serial: 2n ** 64n,
      level: "mine",
      msg: "mine",
      at: new Date(0),
    });
    expect(lines()[0]).toMatchObject({
      key: "6 bytes",
      keys: ["3 bytes"],
      nested: { key: "6 bytes" },
      pem: `${"x".repeat(4096)}... (5904 more)`,
      serial: "18446744073709551616",
      level: "info",
      field_level: "mine",
      msg: "hello",
      field_msg: "mine",
      at: "1970-01-01T00:00:00.000Z",
    });
  });

  it("writes a field that is called __proto__ and lets it change no other", () => {
    const { logger, lines } = capture("info");
    const fields: Record<string, unknown> = JSON.parse('{"__proto__": {"level": "error", "toJSON": 1}, "port": 1}');
    logger.with(fields).info("hello", fields);
    const written = { field___proto__: { level: "error", toJSON: 1 }, port: 1, level: "info", msg: "hello" };
    expect(lines()[0]).toMatchObject(written);
  });

  it("keeps to one line whatever the text, and says which field cannot be written", () => {
    const { logger, lines, text } = capture("info");
    const hostile = 'a\n{"level":"info"}\r\u2028\u0000\ud800"';
    class Unwritable {
      toJSON(): never {
        throw new Error("hunter2");
      }
    }
    logger.info("hello", { text: hostile, list: [hostile], unwritable: new Unwritable(), port: 1 });
    expect(text().split("\n")).toHaveLength(2);
    expect(text()).not.toContain("hunter2");
    expect(lines()[0]).toMatchObject({ text: hostile, list: [hostile], unwritable: "(not writable)", port: 1 });
  });

  it("does not fail on circular fields", () => {
    const { logger, lines } = capture("info");
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    logger.info("hello", { circle });
    expect(lines()[0]).toMatchObject({ msg: "hello" });
  });

  it("says which field it cannot write, and writes the others", () => {
    const { logger, lines } = capture("info");
    class Circle {
      readonly self = this;
    }
    class Secretive {
      toJSON(): never {
        throw new Error("not for your eyes");
      }
    }
    logger.info("hello", { a: 1, circle: new Circle(), secretive: new Secretive(), z: 2 });
    expect(lines()).toMatchObject([
      { a: 1, circle: "(not writable)", secretive: "(not writable)", z: 2, msg: "hello" },
    ]);
  });

  it("writes a line whatever its fields are called", () => {
    const { logger, lines } = capture("info");
    logger.info("hello", { toJSON: () => "nothing", nested: { toJSON: () => "nothing", a: 1 }, nothing: undefined });
    expect(lines()).toEqual([expect.objectContaining({ level: "info", nested: { a: 1 }, msg: "hello" })]);
  });

  it("writes to standard error before it returns, so that nothing is lost on exit", () => {
    const script = `
      const { createLogger } = await import(${JSON.stringify(new URL("./logger.ts", import.meta.url).href)});
      const logger = createLogger({ name: "test", level: "info" });
      for (let line = 0; line < 2000; line += 1) logger.info("hello", { line, filler: "x".repeat(100) });
      process.exit(0);
    `;
    const child = ["--input-type=module", "--eval", script];
    const output = execFileSync("/bin/sh", ["-c", '"$0" "$@" 2>&1 >/dev/null', process.execPath, ...child], {
      encoding: "utf8",
      maxBuffer: 2 ** 24,
    });
    const lines = output.trimEnd().split("\n");
    expect(lines).toHaveLength(2000);
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ line: 1999 });
  });
});
