import { type DescExtension, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { ServerReflection } from "@signet/protos/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@signet/protos/grpc/reflection/v1alpha/reflection";
import { bindService, type ServiceBinding } from "./bind-service.ts";
import { Status } from "./status.ts";

/** What both versions of the protocol ask. */
type ReflectionQuery =
  | {
      readonly case: "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType" | "listServices";
      readonly value: string;
    }
  | {
      readonly case: "fileContainingExtension";
      readonly value: { readonly containingType: string; readonly extensionNumber: number };
    }
  | { readonly case: undefined; readonly value?: undefined };

/** What both versions of the protocol answer. */
type ReflectionAnswer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/** Server reflection, v1 and v1alpha, over `services` and itself. */
export function reflectionServices(services: readonly DescService[]): readonly ServiceBinding[] {
  const listed = [...services, ServerReflection, ServerReflectionAlpha].map((service) => service as DescService);
  let known: ReflectionIndex | undefined;

  function answer(query: ReflectionQuery): ReflectionAnswer {
    known ??= indexFiles(listed);
    return answerQuery(known, query);
  }

  return [
    bindService(ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const messageResponse = answer(request.messageRequest);
          yield { validHost: request.host, originalRequest: request, messageResponse };
        }
      },
    }),
    bindService(ServerReflectionAlpha, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const messageResponse = answer(request.messageRequest);
          yield { validHost: request.host, originalRequest: request, messageResponse };
        }
      },
    }),
  ];
}

type ReflectionIndex = {
  readonly services: readonly string[];
  /** By the name of the .proto file. */
  readonly files: ReadonlyMap<string, DescFile>;
  /** The file of every full name: services, methods, messages, fields, oneofs, enums, their values, extensions. */
  readonly symbols: ReadonlyMap<string, DescFile>;
  readonly messages: ReadonlySet<string>;
  readonly extensions: readonly DescExtension[];
};

function indexFiles(services: readonly DescService[]): ReflectionIndex {
  const files = new Map<string, DescFile>();
  for (const service of services) {
    for (const file of withDependencies(service.file)) files.set(file.proto.name, file);
  }
  const symbols = new Map<string, DescFile>();
  const messages = new Set<string>();
  const extensions: DescExtension[] = [];
  for (const file of files.values()) {
    for (const type of nestedTypes(file)) {
      for (const symbol of symbolsOf(type)) symbols.set(symbol, file);
      if (type.kind === "message") messages.add(type.typeName);
      if (type.kind === "extension") extensions.push(type);
    }
  }
  const names = [...new Set(services.map((service) => service.typeName))].sort();
  return { services: names, files, symbols, messages, extensions };
}

type NestedType = ReturnType<typeof nestedTypes> extends Iterable<infer T> ? T : never;

function symbolsOf(type: NestedType): readonly string[] {
  switch (type.kind) {
    case "service":
      return [type.typeName, ...type.methods.map((method) => `${type.typeName}.${method.name}`)];
    case "message":
      return [type.typeName, ...[...type.fields, ...type.oneofs].map((member) => `${type.typeName}.${member.name}`)];
    case "enum": {
      // As in C++, values belong to the scope around their enum.
      const scope = type.typeName.slice(0, type.typeName.lastIndexOf(".") + 1);
      return [type.typeName, ...type.values.map((value) => scope + value.name)];
    }
    case "extension":
      return [type.typeName];
  }
}

/** `file` and everything it imports, itself first, each once. */
function withDependencies(file: DescFile): readonly DescFile[] {
  const seen = new Set<DescFile>([file]);
  for (const known of seen) for (const dependency of known.dependencies) seen.add(dependency);
  return [...seen];
}

function answerQuery(index: ReflectionIndex, query: ReflectionQuery): ReflectionAnswer {
  switch (query.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: index.services.map((name) => ({ name })) } };
    case "fileByFilename":
      return fileAnswer(index.files.get(query.value));
    case "fileContainingSymbol":
      return fileAnswer(index.symbols.get(query.value.replace(/^\./, "")));
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = query.value;
      const matches = (extension: DescExtension): boolean =>
        extension.extendee.typeName === containingType && extension.number === extensionNumber;
      return fileAnswer(index.extensions.find(matches)?.file);
    }
    case "allExtensionNumbersOfType":
      return extensionNumbers(index, query.value);
    case undefined:
      return errorAnswer(Status.INVALID_ARGUMENT, "the request asks for nothing");
  }
}

function fileAnswer(file: DescFile | undefined): ReflectionAnswer {
  if (file === undefined) return errorAnswer(Status.NOT_FOUND, "not found");
  const files = withDependencies(file).map((one) => toBinary(FileDescriptorProtoSchema, one.proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: files } };
}

function extensionNumbers(index: ReflectionIndex, typeName: string): ReflectionAnswer {
  if (!index.messages.has(typeName)) return errorAnswer(Status.NOT_FOUND, "not found");
  const extensionNumber = index.extensions
    .filter((extension) => extension.extendee.typeName === typeName)
    .map((extension) => extension.number);
  return { case: "allExtensionNumbersResponse", value: { baseTypeName: typeName, extensionNumber } };
}

function errorAnswer(errorCode: Status, errorMessage: string): ReflectionAnswer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
