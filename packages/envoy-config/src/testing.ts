export { type InterpretedFilters, type InterpretedShadow, interpretFilters } from "./testing/interpret-filters.ts";
