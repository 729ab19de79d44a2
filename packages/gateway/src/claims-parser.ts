import type { JsonObject } from "./request-authenticator.ts";

/** A schema of any library that follows Standard Schema 1: zod, valibot, arktype and others. */
export interface ClaimsSchema<Claims> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Claims> | Promise<SchemaResult<Claims>>;
    readonly types?: { readonly input: unknown; readonly output: Claims } | undefined;
  };
}

/** What a schema makes of a value. */
type SchemaResult<Claims> =
  | { readonly value: Claims; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** Makes typed claims of those of a verified token, or throws when they are not fit for this application. */
export type ClaimsParser<Claims> = ClaimsSchema<Claims> | ((claims: JsonObject) => Claims | Promise<Claims>);

/** Typed claims, or what is against them. */
export type ParsedClaims<Claims> =
  | { readonly kind: "fit"; readonly claims: Claims }
  | { readonly kind: "unfit"; readonly cause: unknown };

/** Returns what `parser` makes of claims; never rejects. */
export async function parseClaims<Claims>(
  parser: ClaimsParser<Claims>,
  claims: JsonObject,
): Promise<ParsedClaims<Claims>> {
  try {
    if (!("~standard" in parser)) return { kind: "fit", claims: await parser(claims) };
    const result = await parser["~standard"].validate(claims);
    if (result.issues === undefined) return { kind: "fit", claims: result.value };
    // Messages of schemas repeat what they were given; how many there are is enough.
    return { kind: "unfit", cause: new Error(`the claims have ${result.issues.length} fault(s)`) };
  } catch (error) {
    return { kind: "unfit", cause: error };
  }
}
