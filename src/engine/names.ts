/** Names of engines, for code that mentions engines without loading them. */

/** The engine of a guest for which no engine is named. */
export const DEFAULT_ENGINE = 'translate';

/** For the help text of an option. */
export const ENGINE_HELP = 'basic, dispatch, threaded or translate; lockstep:FIRST,SECOND compares two';
