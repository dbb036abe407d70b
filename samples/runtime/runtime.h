/* All that the samples have instead of a C library: standard input and output, buffered, and three raw system calls. */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* Next byte of standard input, or -1 at its end. */
int get_byte(void);
/* Skips blanks, then reads a line without its newline; at most size-1 bytes are kept. Length, or -1 at the end. */
int get_line(char *line, int size);
/* Next number of standard input, decimal with an optional sign; what stands before it is skipped. 0 at the end. */
int64_t get_integer(void);
double get_real(void);
/* All of standard input, up to size bytes. */
size_t get_all(void *buffer, size_t size);

void put_byte(int byte);
void put_text(const char *text);
void put_bytes(const void *bytes, size_t count);
void put_integer(int64_t value);
/* Right-aligned in so many columns. */
void put_column(int64_t value, int width);
void put_hex(uint64_t value, int digits);
/* Fixed-point, rounded half up at the last of `digits` decimals. |value| must be below 2^53 / 10^digits. */
void put_real(double value, int digits);

/* Writes out what is buffered and ends the program. */
void finish(int status) __attribute__((noreturn));

void *memcpy(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *a, const void *b, size_t count);
size_t strlen(const char *text);

#endif
