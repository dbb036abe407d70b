import { testsIn, tortureFolder } from './torture/sources.ts';

const folder = await tortureFolder();
console.log(folder, testsIn(folder).length);
