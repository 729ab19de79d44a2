# One file on a slim Node, run by a user without rights; the root file system may be read-only.
#   docker build -f deploy/docker/agent.Dockerfile -t signet-agent .
FROM node:26.10.0-bookworm-slim AS build
WORKDIR /src
COPY . .
# The packages and what bundles them; nothing of it is in the image.
RUN npm ci --ignore-scripts && npm rebuild node && cd packages/agent && ../../node_modules/.bin/node ../../tools/bundle.ts

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production
COPY --from=build /src/packages/agent/dist/signet-agent.js /usr/local/lib/signet/signet-agent.js
# Istio's user of the sidecar, so that files and sockets are shared as with istio-agent.
USER 1337:1337
WORKDIR /
ENTRYPOINT ["node", "/usr/local/lib/signet/signet-agent.js"]
