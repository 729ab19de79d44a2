import type { FailoverEvents, ReloadEvents } from "@signet/ca";
import type { CsrSigningEvents, RootPublisherEvents, SecretCaEvents } from "@signet/ca-kubernetes";
import type { VaultEvents } from "@signet/ca-vault";
import type { Logger } from "@signet/runtime";
import type { CacertsEvents } from "../cacerts-watch.ts";
import { logEvent } from "../log-events.ts";
import type { SigningMetrics } from "./signing-metrics.ts";

/** What the signing CAs and what follows them report. */
export type SigningEvents = {
  /** Of a CA whose files may change, in a directory or in a Secret. */
  readonly files: SecretCaEvents & CacertsEvents;
  readonly csr: CsrSigningEvents;
  readonly vault: VaultEvents;
  readonly failover: FailoverEvents;
  readonly publisher: RootPublisherEvents;
};

/** Turns what happens to signing CAs into log lines and metrics. */
export function createSigningEvents(logger: Logger, metrics: SigningMetrics): SigningEvents {
  return {
    files: { ...reloadEvents(logger, metrics), ...secretEvents(logger), ...directoryEvents(logger) },
    csr: {
      rootLearned: (event) => logEvent(logger, "signer root learned", event),
      probeFailed: (event) => logEvent(logger, "signer probe failed", event),
      leftBehind: (event) => logEvent(logger, "certificate signing request left behind", event),
    },
    vault: vaultEvents(logger, metrics),
    failover: {
      switched({ from, to, cause, error }): void {
        metrics.switched(to);
        const name = to === "standby" ? "signing ca switched to standby" : "signing ca switched back";
        logEvent(logger, name, { from, to, cause, error });
      },
      memberFailed: (event) => logEvent(logger, "signing ca member failed", event),
      memberRecovered: (event) => logEvent(logger, "signing ca member recovered", event),
    },
    publisher: {
      publishFailed: (event) => logEvent(logger, "root not published", event),
      contested: (event) => logEvent(logger, "published root contested", event),
    },
  };
}

function reloadEvents(logger: Logger, metrics: SigningMetrics): ReloadEvents {
  return {
    adopted(event): void {
      metrics.filesOffered("adopted");
      logEvent(logger, "ca files adopted", event);
    },
    refused(event): void {
      metrics.filesOffered("refused");
      logEvent(logger, "ca files refused", event);
    },
  };
}

function secretEvents(logger: Logger): Omit<SecretCaEvents, keyof ReloadEvents> {
  return {
    created: (event) => logEvent(logger, "ca secret created", event),
    startDelayed: (event) => logEvent(logger, "ca secret not available yet", event),
    secretMissing: (event) => logEvent(logger, "ca secret missing", event),
    secretRestored: (event) => logEvent(logger, "ca secret restored", event),
    restoreFailed: (event) => logEvent(logger, "ca secret not restored", event),
  };
}

function directoryEvents(logger: Logger): CacertsEvents {
  return {
    keyExposed: (event) => logEvent(logger, "ca key readable by others", event),
    noticeUnavailable: (event) => logEvent(logger, "cacerts notices unavailable", event),
  };
}

function vaultEvents(logger: Logger, metrics: SigningMetrics): VaultEvents {
  return {
    called: (call) => metrics.vaultCalled(call),
    loggedIn: (event) => logEvent(logger, "vault login", event),
    loginFailed: ({ method, code, message }) =>
      logEvent(logger, "vault login failed", { method, code, detail: message }),
    tokenRenewed: (event) => logEvent(logger, "vault token renewed", event),
    renewalFailed: ({ code, message }) => logEvent(logger, "vault token not renewed", { code, detail: message }),
    trustBundleChanged: (event) => logEvent(logger, "vault trust bundle changed", event),
    issuerChanged: (event) => logEvent(logger, "vault issuer changed", event),
    refreshFailed: ({ reason, message }) => logEvent(logger, "vault not read", { reason, detail: message }),
    circuitChanged: (event) => logEvent(logger, "vault circuit changed", event),
  };
}
