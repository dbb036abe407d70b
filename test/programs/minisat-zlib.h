/* Stands in for zlib, of which minisat only reads files that are not packed. */
#include <stdio.h>
typedef FILE *gzFile;
#define gzopen fopen
#define gzdopen fdopen
#define gzclose fclose
#define gzread(file, to, n) ((int)fread(to, 1, n, file))
