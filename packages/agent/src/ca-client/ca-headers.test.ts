import { describe, expect, it } from "vitest";
import { readCaHeaders } from "./ca-headers.ts";

describe("readCaHeaders", () => {
  it("takes CA_HEADER_* by lower-case name and nothing else", () => {
    const env = { CA_HEADER_X_TEAM: "red", "CA_HEADER_x-other": "", XDS_HEADER_A: "b", CA_HEADERS: "c", CA_ADDR: "d" };
    expect(readCaHeaders(env)).toEqual({ headers: { x_team: "red", "x-other": "" }, problems: [] });
  });

  it.each([
    ["CA_HEADER_", "x", "the name is not that of a gRPC header"],
    ["CA_HEADER_A B", "x", "the name is not that of a gRPC header"],
    ["CA_HEADER_AUTHORIZATION", "Bearer secret", "the header authorization is not for others to set"],
    ["CA_HEADER_ClusterID", "x", "the header clusterid is not for others to set"],
    ["CA_HEADER_grpc-timeout", "1S", "the header grpc-timeout is not for others to set"],
    ["CA_HEADER_KEY-BIN", "AA==", "binary headers (-bin) cannot be set from text"],
    ["CA_HEADER_A", "secret\r\nx: y", "the value has other than printable ASCII characters"],
    ["CA_HEADER_A", "s".repeat(4_097), "the value has 4097 characters, more than 4096"],
  ])("refuses %j with %j", (variable, value, problem) => {
    const result = readCaHeaders({ [variable]: value });
    expect(result).toEqual({ headers: {}, problems: [`${variable}: ${problem}`] });
  });
});
