# One file on a slim Node, run by a user without rights; the root file system may be read-only.
#   docker build -f deploy/docker/ca-server.Dockerfile -t signet-ca .
FROM node:26.10.0-bookworm-slim AS build
WORKDIR /src
COPY . .
# The packages and what bundles them; nothing of it is in the image.
RUN npm ci --ignore-scripts && npm rebuild node && cd packages/ca-server && ../../node_modules/.bin/node ../../tools/bundle.ts

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production
COPY --from=build /src/packages/ca-server/dist/signet-ca.js /usr/local/lib/signet/signet-ca.js
# Istio's user of the sidecar, so that files and sockets are shared as with istio-agent.
USER 1337:1337
WORKDIR /
ENTRYPOINT ["node", "/usr/local/lib/signet/signet-ca.js"]
