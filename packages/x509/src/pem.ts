/** Returns the blocks of `text`. */
export function splitPem(text: string): readonly { readonly label: string; readonly der: Uint8Array }[] {
  throw new Error(`not built yet ${text.length}`);
}
export function parsePem(text: string, label: string): readonly Uint8Array[] {
  throw new Error(`not built yet ${text.length} ${label}`);
}
export function encodePem(label: string, der: Uint8Array): string {
  throw new Error(`not built yet ${der.length} ${label}`);
}
