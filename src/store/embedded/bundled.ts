/**
 * What the executable carries inside. In a checkout there is nothing: `scripts/build.ts` puts another module
 * of the same shape in the place of this one.
 */

/** Path of the archive of Postgres binaries; `undefined` in a checkout, where the npm package has them. */
export const BUNDLED_POSTGRES: string | undefined = undefined;

/** Whether this is the executable rather than a checkout. */
export const isBundled: boolean = BUNDLED_POSTGRES !== undefined;
