/** Names of engines, for who has to tell of them without loading them. */

/** What a guest runs on if nobody says otherwise. */
export const DEFAULT_ENGINE = 'translate';

/** For the help text of an option. */
export const ENGINE_HELP = 'basic, dispatch, threaded or translate; lockstep:FIRST,SECOND compares two';
