/** Things that are started soon, those that come in the same turn of the event loop one after the other. */
export interface StartQueue<T> {
  add(thing: T): void;
}

/** So many are started before the event loop looks at its sockets again, and sends what was answered. */
const atOnce = 32;

/**
 * A StartQueue that calls `start`, which must not throw, for each thing in the order in which they were added.
 *
 * Calls come from many connections in one turn of the event loop. Reading one, working on it and answering it before the
 * next is read makes the processor fetch the code of all three for every call anew; a third of a call's time goes there.
 */
export function createStartQueue<T>(start: (thing: T) => void): StartQueue<T> {
  let waiting: T[] = [];

  function startSome(): void {
    const now = waiting;
    waiting = now.length > atOnce ? now.splice(atOnce) : [];
    if (waiting.length > 0) setImmediate(startSome);
    for (const thing of now) start(thing);
  }

  return {
    add(thing) {
      if (waiting.push(thing) === 1) setImmediate(startSome);
    },
  };
}
