import type { AdapterUnderTest } from "./adapter-under-test.ts";
import { fetchAlone, fetchOnNode, honoApp } from "./fetch-adapters.ts";
import { expressApp, expressRouter, fastifyApp, nodeHttp, nodeHttp2 } from "./node-adapters.ts";
import { connectApp, grpcJs } from "./rpc-adapters.ts";

/** Every adapter, each with its real framework. */
export const allAdapters: readonly AdapterUnderTest[] = [
  ...[nodeHttp, nodeHttp2, expressApp, expressRouter, fastifyApp],
  ...[fetchOnNode, fetchAlone, honoApp, connectApp, grpcJs],
];
