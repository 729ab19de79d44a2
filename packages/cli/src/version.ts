import packageJson from "../package.json" with { type: "json" };

/** The version of this Signet. */
export const version: string = packageJson.version;
