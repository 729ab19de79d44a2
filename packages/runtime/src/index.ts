export { type Backoff, createBackoff } from "./backoff.ts";
export { type Clock, type Random, sleepUntil, systemClock } from "./clock.ts";
export { withDeadline } from "./deadline.ts";
export { formatDuration, parseDuration } from "./duration.ts";
export { assertNever, errorCode, errorMessage, RuntimeError, type RuntimeErrorCode } from "./errors.ts";
export { acquireFileLock, type FileLock } from "./file-lock.ts";
export { ensurePrivateDirectory, isFileMissing, readFileCapped, removeTemporaries, writeFileAtomic } from "./files.ts";
export { checkHealth, type HealthCheck, type HealthProblem } from "./health.ts";
export { formatHostPort, type HostPort, parseHostPort } from "./host-port.ts";
export type { HttpAnswer, HttpMethodRoute, HttpRequest, HttpRoute } from "./http-route.ts";
export { type HttpServer, serveHttp } from "./http-server.ts";
export { createLineBudget, type LineBudget } from "./line-budget.ts";
export type { LogFields } from "./log-fields.ts";
export { createLogger, type LogDestination, type Logger, type LogLevel, logLevels } from "./logger.ts";
export { type Counter, createMetrics, type Gauge, type Histogram, type Labels, type Metrics } from "./metrics.ts";
export { runGroup, type Task } from "./run-group.ts";
export { createServingState, type ServingPhase, type ServingState } from "./serving-state.ts";
export { type Setting, type SettingKind, type SettingKinds, type SettingOptions, setting } from "./setting.ts";
export { parseSettings, type SettingsOf, type SettingsResult, type SettingsSpec } from "./settings.ts";
export { settingsHelp, settingsTable } from "./settings-help.ts";
export { type FailedShutdownStep, type ShutdownStep, shutDownInOrder } from "./shut-down-in-order.ts";
export { shutdownSignal } from "./signals.ts";
export { constantSource, createSource, firstValue, mapSource, type Publisher, type Source } from "./source.ts";
export {
  directoriesOf,
  type FileWatch,
  type WatchFilesDependencies,
  type WatchFilesOptions,
  watchFiles,
} from "./watch-files.ts";
