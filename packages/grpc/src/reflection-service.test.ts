import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { ServerReflection } from "@signet/protos/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@signet/protos/grpc/reflection/v1alpha/reflection";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { bindService, createHealthState, Status } from "./index.ts";
import { type TestPair, testPair } from "./testing.ts";

const never = new AbortController().signal;
const pairs: TestPair[] = [];
afterEach(async () => {
  for (const pair of pairs.splice(0)) await pair.close();
});

type Query = {
  case: "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType" | "listServices";
  value: string;
};

const versions = [
  { version: "v1", method: ServerReflection.method.serverReflectionInfo },
  { version: "v1alpha", method: ServerReflectionAlpha.method.serverReflectionInfo },
] as const;

describe.each(versions)("reflection $version", ({ method }) => {
  async function ask(...queries: readonly (Query | undefined)[]) {
    const pair = await testPair([bindService(IstioCertificateService, {}), bindService(SecretDiscoveryService, {})], {
      serve: { reflection: true, health: createHealthState() },
    });
    pairs.push(pair);
    async function* requests() {
      for (const query of queries) yield { host: "here", ...(query === undefined ? {} : { messageRequest: query }) };
    }
    const answers = [];
    for await (const answer of pair.channel.stream(
      method as typeof ServerReflection.method.serverReflectionInfo,
      requests(),
      { signal: never },
    )) {
      answers.push(answer);
    }
    return answers;
  }

  async function filesOf(query: Query) {
    const [answer] = await ask(query);
    const response = answer?.messageResponse;
    if (response?.case !== "fileDescriptorResponse") return expect.unreachable(`${response?.case}`);
    return response.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  }

  test("lists every service, itself and health included", async () => {
    const [answer] = await ask({ case: "listServices", value: "*" });
    expect(answer?.validHost).toBe("here");
    expect(answer?.originalRequest?.messageRequest.case).toBe("listServices");
    expect(answer?.messageResponse).toMatchObject({
      case: "listServicesResponse",
      value: {
        service: [
          { name: "envoy.service.secret.v3.SecretDiscoveryService" },
          { name: "grpc.health.v1.Health" },
          { name: "grpc.reflection.v1.ServerReflection" },
          { name: "grpc.reflection.v1alpha.ServerReflection" },
          { name: "istio.v1.auth.IstioCertificateService" },
        ],
      },
    });
  });

  test.each([
    { query: { case: "fileContainingSymbol", value: "envoy.service.secret.v3.SecretDiscoveryService" } },
    { query: { case: "fileContainingSymbol", value: ".envoy.service.secret.v3.SecretDiscoveryService.StreamSecrets" } },
    { query: { case: "fileByFilename", value: "envoy/service/secret/v3/sds.proto" } },
  ] as const)("answers $query.case $query.value with the file and everything it needs", async ({ query }) => {
    const files = await filesOf(query);
    expect(files[0]?.name).toBe("envoy/service/secret/v3/sds.proto");
    // A registry throws if an import is missing or a type does not resolve.
    const set = create(FileDescriptorSetSchema, { file: importsFirst(files) });
    const registry = createFileRegistry(set);
    expect(registry.getService("envoy.service.secret.v3.SecretDiscoveryService")?.methods).toHaveLength(3);
    expect(registry.getMessage("google.protobuf.Any")?.fields).toHaveLength(2);
  });

  test.each([
    "istio.v1.auth.IstioCertificateRequest",
    "istio.v1.auth.IstioCertificateRequest.csr",
    "google.protobuf.Value.kind",
    "google.protobuf.NullValue",
    "google.protobuf.NULL_VALUE",
    "grpc.health.v1.HealthCheckResponse.ServingStatus",
    "grpc.health.v1.HealthCheckResponse.SERVING",
  ])("knows the symbol %s", async (symbol) => {
    expect(await filesOf({ case: "fileContainingSymbol", value: symbol })).not.toEqual([]);
  });

  test("answers what it does not know with an error each and goes on", async () => {
    const answers = await ask(
      { case: "fileContainingSymbol", value: "no.Such" },
      { case: "fileByFilename", value: "no/such.proto" },
      { case: "allExtensionNumbersOfType", value: "no.Such" },
      undefined,
      { case: "allExtensionNumbersOfType", value: "istio.v1.auth.IstioCertificateRequest" },
    );
    const notFound = { case: "errorResponse", value: { errorCode: Status.NOT_FOUND, errorMessage: "not found" } };
    expect(answers.map((answer) => answer.messageResponse)).toMatchObject([
      notFound,
      notFound,
      notFound,
      { case: "errorResponse", value: { errorCode: Status.INVALID_ARGUMENT } },
      { case: "allExtensionNumbersResponse", value: { extensionNumber: [] } },
    ]);
  });
});

function importsFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto): void => {
    for (const imported of files.filter(({ name }) => file.dependency.includes(name))) add(imported);
    ordered.add(file);
  };
  for (const file of files) add(file);
  return [...ordered];
}
