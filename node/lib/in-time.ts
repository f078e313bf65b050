/** What is waited for, but not for ever. */

/** In place of what did not come in time. */
export const LATE: unique symbol = Symbol('late');

/** What the promise gives, or {@link LATE} after so many milliseconds. */
export async function inTime<T>(promise: Promise<T>, milliseconds: number): Promise<T | typeof LATE> {
  // When it fails later, nobody listens any more.
  promise.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(resolve, milliseconds, LATE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
