#!/usr/bin/env node
// Plain, old JavaScript on purpose: an old Node has to get far enough to say that it is too old.
const required = 26;
const major = Number.parseInt(process.versions.node, 10);
if (major < required) {
  console.error(
    `signet needs Node ${required} or newer, and this is ${process.version}: run \`npx signet\` in the checkout.`,
  );
  process.exit(2);
}
// Who reads the output, such as `head`, may have had enough: that is no failure to tell anybody of. 141 is what a shell shows for it.
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(141);
});
import("../src/main.ts")
  .then(({ runSignet }) => runSignet(process.argv.slice(2), process.env))
  .then((exitCode) => {
    process.exitCode = exitCode;
  })
  .catch((error) => {
    console.error(`signet: ${error.stack}`);
    process.exitCode = 1;
  });
