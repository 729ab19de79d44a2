export { runSignet } from "./main.ts";
