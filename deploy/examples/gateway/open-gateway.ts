import { createServer } from "node:http";
import { type Authorizer, createAuthorizer, type DocumentSource, openDocumentSource } from "@signet/authorizer";
import { describeProblem, parseWorkload } from "@signet/documents";
import { createGateway, type GatewayEvents } from "@signet/gateway";
import { requestListener } from "@signet/gateway/node-http";
import { type Logger, systemClock, type Task } from "@signet/runtime";
import { proxyTo } from "./proxy.ts";
import { listen, serve } from "./serve.ts";

/** How the gateway is run. */
export type ExampleOptions = {
  readonly policies: string;
  readonly upstream: URL;
  readonly listen: string;
  /** Whose policies count, such as `shop/app=cart`. */
  readonly workload: string;
};

/** The gateway, listening, and what has to run as long as it does. */
export type OpenedGateway = { readonly url: string; readonly tasks: readonly Task[] };

const limits = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 5_000 };

/** Reads the policies, listens, and returns what keeps both going. Throws when it cannot start. */
export async function openGateway(options: ExampleOptions, logger: Logger): Promise<OpenedGateway> {
  const source = await openDocumentSource({ path: options.policies }, { clock: systemClock });
  const documents = source.sets.current();
  // Without any documents everything would be allowed.
  if (documents === undefined) throw new Error(`there are no policies in ${options.policies}`);
  const authorizer = createAuthorizer(documents, {}, { clock: systemClock, random: Math.random });
  const workload = parseWorkload(options.workload);
  const gateway = createGateway({ authorizer, workload, events: gatewayEvents(logger) });
  const server = createServer(limits, requestListener(gateway, proxyTo(options.upstream)));
  const url = await listen(server, options.listen);
  const tasks = [source.task, authorizer.task, follow({ source, authorizer }, logger), serve(server)];
  return { url, tasks };
}

function gatewayEvents(logger: Logger): GatewayEvents {
  return {
    refused: ({ code, status, policy = "" }) => logger.info("request refused", { code, status, policy }),
    failed: ({ what, error }) => logger.error("gateway failed", { what, error }),
  };
}

/** Puts every set of documents in force that comes, and says what in it cannot be used. */
function follow(parts: { readonly source: DocumentSource; readonly authorizer: Authorizer }, logger: Logger): Task {
  return {
    name: "follow policies",
    async run(signal) {
      for await (const set of parts.source.sets.changes(signal)) {
        const unfit = parts.authorizer.replace(set);
        const refused = [...set.refused, ...set.kept].flatMap((document) => document.problems);
        const problems = [...refused, ...unfit].map(describeProblem);
        logger.info("policies in force", { documents: set.documents.length, problems });
      }
    },
  };
}
