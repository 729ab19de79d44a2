export { FakeClock } from "./fake-clock.ts";
export { type FakeLogger, fakeLogger, type LogLine } from "./fake-logger.ts";
export { seededRandom } from "./seeded-random.ts";
