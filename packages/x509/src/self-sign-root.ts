import type { KeyPair } from "./key-pair.ts";

export interface SelfSignRootOptions {
  readonly key: KeyPair;
  readonly organization: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly serialNumber: Uint8Array;
}
export function selfSignRoot(options: SelfSignRootOptions): Promise<Uint8Array> {
  throw new Error(`not built yet ${options.organization}`);
}
