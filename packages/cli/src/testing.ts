export { type Agent, type ControlPlane, startAgent, startControlPlane } from "./demo/control-plane.ts";
export { makeDemoDirectory } from "./demo/demo-directory.ts";
export { type Mesh, startMesh } from "./demo/mesh.ts";
export { createSightings, type Sightings } from "./demo/sightings.ts";
export { sendTraffic, type TrafficTotals } from "./demo/traffic.ts";
