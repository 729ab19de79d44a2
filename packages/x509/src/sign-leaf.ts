import type { Certificate } from "./certificate.ts";
import type { KeyPair } from "./key-pair.ts";
import type { SvidTemplate } from "./svid-template.ts";

/** What `signLeaf` needs: the template, who signs it, and the serial number (content octets, unsigned). */
export interface SignLeafOptions {
  readonly template: SvidTemplate;
  readonly issuer: { readonly certificate: Certificate; readonly key: KeyPair };
  readonly serialNumber: Uint8Array;
}
export function signLeaf(options: SignLeafOptions): Uint8Array {
  throw new Error(`not built yet ${options.serialNumber.length}`);
}
export function signLeafAsync(options: SignLeafOptions): Promise<Uint8Array> {
  throw new Error(`not built yet ${options.serialNumber.length}`);
}
