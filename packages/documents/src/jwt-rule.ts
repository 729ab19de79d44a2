import type { DocumentPosition } from "./document-problem.ts";
import { parseDurationMs } from "./duration.ts";
import type { FieldReader } from "./field-reader.ts";
import { type InlineJwks, readInlineJwks } from "./inline-jwks.ts";
import { readJwksUri } from "./jwks-uri.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";

/** Which tokens are accepted, where they are looked for, and what is made of them. */
export type JwtRule = {
  /** What `iss` must be; empty, which needs a `jwksUri`, for any. */
  readonly issuer: string;
  /** One of them must be in `aud`; none means that `aud` is not looked at. */
  readonly audiences: readonly string[];
  /** An http or https URL, as written; at most 2048 characters. With neither this nor `jwks` the issuer is asked. */
  readonly jwksUri?: string;
  /** A JWKS as written; JSON. */
  readonly jwks?: string;
  readonly fromHeaders: readonly JwtHeaderLocation[];
  /** Query parameters. */
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  readonly outputPayloadToHeader?: string;
  /** Default false. */
  readonly forwardOriginalToken: boolean;
  readonly outputClaimToHeaders: readonly ClaimToHeader[];
  /** Longest wait for a JWKS, in milliseconds; from 1 to 292 years, default 5000. */
  readonly timeoutMs: number;
  /** Claims besides `scope` and `permission` that are lists with spaces between their entries; at most 64. */
  readonly spaceDelimitedClaims: readonly string[];
  readonly position: DocumentPosition;
};

/** A header in which a token is looked for, and what must stand before the token; may be empty. */
export type JwtHeaderLocation = { readonly name: string; readonly prefix: string };

/** A claim that is sent upstream in a header; a dot in `claim` leads into an object. */
export type ClaimToHeader = { readonly header: string; readonly claim: string };

const defaultTimeoutMs = 5_000;
const maxSpaceDelimitedClaims = 64;

/** Reads one entry of `jwtRules`, notes what is wrong with it, and warns of what is seldom meant. */
export function readJwtRule(rule: FieldReader, position: DocumentPosition): JwtRule {
  const fromHeaders = rule.maps("fromHeaders", "is not valid: location header name must be non-null").map(readLocation);
  const claims = rule.maps("outputClaimToHeaders", "is not valid: outputClaimToHeaders must not be null");
  if (rule.count("spaceDelimitedClaims") > maxSpaceDelimitedClaims) {
    rule.report(`is not valid: must have at most ${maxSpaceDelimitedClaims} items`, "spaceDelimitedClaims");
  }
  const outputPayloadToHeader = rule.parsed("outputPayloadToHeader", readPayloadHeader);
  const read: JwtRule = {
    ...readKeySource(rule),
    audiences: rule.parsedList("audiences", nonEmpty("audience must be non-empty string")),
    fromHeaders,
    fromParams: rule.parsedList("fromParams", nonEmpty("location query must be non-empty string")),
    fromCookies: rule.parsedList("fromCookies", nonEmpty("cookie name must be non-empty string")),
    ...(outputPayloadToHeader !== undefined && outputPayloadToHeader !== "" && { outputPayloadToHeader }),
    forwardOriginalToken: rule.bool("forwardOriginalToken") ?? false,
    outputClaimToHeaders: claims.map(readClaimToHeader),
    timeoutMs: rule.parsed("timeout", parseDurationMs) ?? defaultTimeoutMs,
    spaceDelimitedClaims: rule.parsedList("spaceDelimitedClaims", nonEmpty("should be at least 1 chars long")),
    position,
  };
  refuseUnknownFields(rule);
  return read;
}

/** The issuer and where its keys are. */
function readKeySource(rule: FieldReader): Pick<JwtRule, "issuer" | "jwksUri" | "jwks"> {
  const sources = ["jwksUri", "jwks_uri", "jwks"].filter((name) => rule.holds(name));
  if (sources.length > 1) rule.report("is not valid: only one of jwks or jwksUri can be set");
  const written = rule.parsed("issuer", nonEmpty("should be at least 1 chars long"));
  // Held, though perhaps not valid: that is said already.
  if (!rule.holds("issuer") && !rule.holds("jwksUri") && !rule.holds("jwks_uri")) {
    rule.report("is not valid: issuer or jwksUri must be non-empty string");
  }
  const jwksUri = rule.parsed("jwksUri", readJwksUri) ?? rule.parsed("jwks_uri", readJwksUri);
  const jwks = rule.parsed("jwks", (text): InlineJwks | undefined => (text === "" ? undefined : readInlineJwks(text)));
  if (jwks?.holdsPrivateKey === true) {
    rule.warn("contains private key material, which everyone who may read this document can sign with", "jwks");
  }
  return {
    issuer: written ?? "",
    ...(jwksUri !== undefined && { jwksUri }),
    ...(jwks !== undefined && { jwks: jwks.text }),
  };
}

function readLocation(location: FieldReader): JwtHeaderLocation {
  const name = location.parsed("name", nonEmpty("location header name must be non-empty string"));
  if (!location.holds("name")) location.report("is not valid: location header name must be non-empty string", "name");
  if (name !== undefined && !/^:?[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
    location.warn("is the name of no header, so there never is a token in it", "name");
  }
  const prefix = location.text("prefix") ?? "";
  refuseUnknownFields(location);
  return { name: name ?? "", prefix };
}

function readClaimToHeader(output: FieldReader): ClaimToHeader {
  const missing = "outputClaimToHeaders header and claim value must be non-empty string";
  const header = output.parsed("header", (text) => {
    if (text === "") throw new Error(missing);
    if (!/^[-_A-Za-z0-9]+$/.test(text)) throw new Error("header should match '^[-_A-Za-z0-9]+$'");
    return text;
  });
  const claim = output.parsed("claim", nonEmpty(missing));
  for (const name of ["header", "claim"]) if (!output.holds(name)) output.report(`is not valid: ${missing}`, name);
  refuseUnknownFields(output);
  return { header: header ?? "", claim: claim ?? "" };
}

/** RFC 9110 section 5.6.2. Istio does not look; a name that is no token would break every request that has a token. */
function readPayloadHeader(text: string): string {
  if (text !== "" && !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)) throw new Error("it is the name of no header");
  return text;
}

function nonEmpty(message: string): (text: string) => string {
  return (text) => {
    if (text === "") throw new Error(message);
    return text;
  };
}
