/* What lame wants to know that its configure script would find out. */
#define STDC_HEADERS 1
#define HAVE_ERRNO_H 1
#define HAVE_FCNTL_H 1
#define HAVE_INTTYPES_H 1
#define HAVE_LIMITS_H 1
#define HAVE_STDINT_H 1
#define HAVE_STRCHR 1
#define HAVE_MEMCPY 1
#define HAVE_UNISTD_H 1
#define HAVE_IEEE754_FLOAT64_T 1
#define HAVE_IEEE754_FLOAT32_T 1
typedef float ieee754_float32_t;
typedef double ieee754_float64_t;
typedef long double ieee854_float80_t;
#define PACKAGE "lame"
#define VERSION "3.100"
#define USE_FAST_LOG 1
#define TAKEHIRO_IEEE754_HACK 1
