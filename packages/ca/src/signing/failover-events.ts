import type { FailoverRole } from "./failover-member.ts";

/** From now on the other member signs. */
export type SwitchedEvent = {
  readonly from: FailoverRole;
  readonly to: FailoverRole;
  /** "signer-failed" after failures in a row, "signer-not-ready" when it cannot even be asked, or the primary is good again. */
  readonly cause: "signer-failed" | "signer-not-ready" | "primary-recovered";
  /** What the member that signed until now failed with last. */
  readonly error?: unknown;
};

/** One member fails, whether it signs at present or not. */
export type MemberFailedEvent = { readonly member: FailoverRole; readonly signingCa: string; readonly error: unknown };

/** What a failover group reports as it happens; every event is worth an alarm or the end of one. Must not throw. */
export interface FailoverEvents {
  switched(event: SwitchedEvent): void;
  /** After `failuresToSwitch` failures in a row; a standby that would not help is worth knowing of in time. */
  memberFailed(event: MemberFailedEvent): void;
  /** After `successesToReturn` good canaries in a row, where the failing was told of. */
  memberRecovered(event: Omit<MemberFailedEvent, "error">): void;
}
