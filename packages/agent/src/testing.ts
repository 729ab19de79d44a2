export {
  type EnvoyResponse,
  type EnvoySdsClientModel,
  envoyDiscoveryRequest,
  envoySdsClientModel,
} from "./testing/envoy-sds-client-model.ts";
export { type FakeAnswer, type FakeCaClient, type FakeRequest, fakeCaClient } from "./testing/fake-ca-client.ts";
export {
  type HeldSecrets,
  openSdsStream,
  type SdsTestStream,
  type SecretTexts,
  subscribeSds,
} from "./testing/sds-test-client.ts";
export {
  type DeltaSecretResponse,
  type DeltaSecretStreamEvent,
  type DeltaSecretStreamState,
  type DeltaSecretStreamStep,
  type SecretResponse,
  type SecretSnapshot,
  type SecretStreamEvent,
  type SecretStreamState,
  type SecretStreamStep,
  type ServedTestSds,
  secretStreams,
  serveTestSds,
  testSnapshot,
} from "./testing/sds-under-test.ts";
export { type ServedFakeCa, serveFakeCa } from "./testing/serve-fake-ca.ts";
