/*
 * Preloaded into a server whose memory shall run out: one in `rate` allocations fails, at places that come from `seed`.
 * The file that FAILING names holds struct control and is shared with the test, which turns it on and off.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

/* 64-bit fields, which the test reads and writes by their place. */
static struct control {
	_Atomic uint64_t rate, seed; /* rate 0: nothing fails */
	_Atomic uint64_t asked;      /* allocations while it was on */
	_Atomic uint64_t failed;
	_Atomic int64_t live;        /* blocks in use */
} own, *control = &own;

/* Callers that end the process when an allocation fails: GMP, by way of GnuTLS's abort(), and Nettle. */
static const char *const aborting[] = {"libgmp.so", "libhogweed.so", "libnettle.so", "libtasn1.so"};
#define ABORTING (sizeof aborting / sizeof aborting[0])
#define NEAR 8 /* callers that are looked at */

static struct range {
	uintptr_t from, to;
} spared[ABORTING];

static int note_library(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size, (void)data;
	for (size_t i = 0; i < ABORTING; i++)
		if (strstr(info->dlpi_name, aborting[i]) != NULL)
			for (int k = 0; k < info->dlpi_phnum; k++) {
				const ElfW(Phdr) *part = &info->dlpi_phdr[k];
				uintptr_t from = (uintptr_t)(info->dlpi_addr + part->p_vaddr);
				if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0)
					spared[i] = (struct range){from, from + (uintptr_t)part->p_memsz};
			}
	return 0;
}

static __attribute__((constructor)) void begin(void)
{
	const char *path = getenv("FAILING");
	int file = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (file < 0)
		_exit(125);
	void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (shared == MAP_FAILED || close(file) != 0)
		_exit(125);
	control = shared;
	(void)dl_iterate_phdr(note_library, NULL);
}

static uint64_t mixed(uint64_t n)
{
	n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9;
	n = (n ^ n >> 27) * 0x94D049BB133111EB;
	return n ^ n >> 31;
}

struct callers {
	int seen, spared;
};

static _Unwind_Reason_Code look_at_caller(struct _Unwind_Context *context, void *data)
{
	struct callers *callers = data;
	uintptr_t at = (uintptr_t)_Unwind_GetIP(context);
	for (size_t i = 0; i < ABORTING; i++)
		callers->spared |= at >= spared[i].from && at < spared[i].to;
	return callers->spared || ++callers->seen == NEAR ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static int fails(void)
{
	struct callers callers = {0};
	uint64_t rate = atomic_load(&control->rate);
	if (rate == 0)
		return 0;
	uint64_t n = atomic_fetch_add(&control->asked, 1);
	if (mixed(atomic_load(&control->seed) + n * 0x9E3779B97F4A7C15) % rate != 0)
		return 0;
	(void)_Unwind_Backtrace(look_at_caller, &callers);
	if (callers.spared)
		return 0;
	atomic_fetch_add(&control->failed, 1);
	errno = ENOMEM;
	return 1;
}

static void *counted(void *p)
{
	atomic_fetch_add(&control->live, p != NULL);
	return p;
}

void *malloc(size_t n)
{
	return fails() ? NULL : counted(__libc_malloc(n));
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(__libc_calloc(count, size));
}

void free(void *p)
{
	atomic_fetch_sub(&control->live, p != NULL);
	__libc_free(p);
}

void *realloc(void *p, size_t n)
{
	if (p != NULL && n == 0) {
		free(p);
		return NULL;
	}
	if (fails())
		return NULL;
	return p == NULL ? counted(__libc_malloc(n)) : __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t count, size_t size)
{
	if (size != 0 && count > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, count * size);
}
