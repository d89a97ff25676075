/* Fails allocation number FAIL_AT, counted from main on; at the end writes how many there were to the file COUNT. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static long count, fail_at = -1;
static int (*real_main)(int, char **, char **);

static int fails(void)
{
	if (fail_at < 0 || ++count != fail_at)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	return realloc(p, n * size);
}

static int counted(int argc, char **argv, char **envp)
{
	const char *at = getenv("FAIL_AT"), *file = getenv("COUNT");
	fail_at = at ? strtol(at, NULL, 10) : 0;
	int status = real_main(argc, argv, envp);
	fail_at = -1;
	FILE *f = file ? fopen(file, "w") : NULL;
	if (f) {
		(void)fprintf(f, "%ld", count);
		(void)fclose(f);
	}
	return status;
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	int (*start)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void),
		     void *);
	*(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
	real_main = main;
	return start(counted, argc, argv, init, fini, rtld_fini, stack_end);
}
