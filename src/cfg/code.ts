/** The decoded view of an image, where the storeys from here up look for it. It is made one floor below, because blocks need it. */
export { type Code, type CodeRange, codeOf } from '../profile/code.ts';
