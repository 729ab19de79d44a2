export function describeName(der: Uint8Array): string {
  throw new Error(`not built yet ${der.length}`);
}
