/** What frameworks were told once, when they were made: a new configuration may not change it. */

const RESTART = 'this takes a restart';

export class Told {
  /** The resources whose metadata has routes; `undefined`: no routes were made. */
  #paths: Set<string> | undefined;
  /** Whether a framework asks about tokens alone. */
  verifiesAlone = false;

  /** Routes are made for the metadata of these resources alone. */
  makeRoutes(paths: readonly string[]): void {
    this.#paths = new Set([...(this.#paths ?? []), ...paths]);
  }

  /**
   * What the frameworks would not follow.
   *
   * @param paths where the resources are
   * @param ofRequests settings that whoever asks about tokens alone does not look at
   */
  faults(paths: readonly string[], ofRequests: readonly string[]): string[] {
    const known = this.#paths;
    const missing = known === undefined ? [] : paths.filter((path) => !known.has(path));
    const ignored = this.verifiesAlone ? ofRequests : [];
    return [
      ...missing.map((path) => `resource: the routes were made without the metadata of ${path}: ${RESTART}`),
      ...ignored.map((name) => `${name}: a verifier of tokens alone does not look at it: ${RESTART}`),
    ];
  }
}

/** Where the resources of a configuration that can be used are, without slashes at the end. */
export function pathsOf(data: object): string[] {
  const { resources = [data] } = data as { resources?: object[] };
  return resources.map((one) => new URL((one as { resource: string }).resource).pathname.replace(/\/+$/, ''));
}
