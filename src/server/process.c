#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void gauge(struct buf *out, const char *name, const char *help, unsigned long long value)
{
	buf_fmt(out, "# HELP %s %s\n# TYPE %s gauge\n%s %llu\n", name, help, name, name, value);
}

static void write_cpu(struct buf *out)
{
	static const char name[] = "process_cpu_seconds_total";
	struct rusage used;
	if (getrusage(RUSAGE_SELF, &used) != 0)
		return;
	long seconds = used.ru_utime.tv_sec + used.ru_stime.tv_sec;
	long micros = used.ru_utime.tv_usec + used.ru_stime.tv_usec;
	seconds += micros / 1000000;
	buf_fmt(out, "# HELP %s User and system CPU time spent.\n# TYPE %s counter\n%s %ld.%06ld\n", name, name, name,
		seconds, micros % 1000000);
}

/* The first two numbers of /proc/self/statm: pages of address space and pages in memory. */
static void write_memory(struct buf *out)
{
	unsigned long long pages[2] = {0, 0};
	long page = sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/self/statm", "re");
	if (file == NULL)
		return;
	int field = 0;
	for (int c = getc(file); c != EOF && field < 2; c = getc(file))
		if (c >= '0' && c <= '9')
			pages[field] = pages[field] * 10 + (unsigned)(c - '0');
		else
			field++;
	(void)fclose(file); /* it was only read */
	if (field < 2 || page <= 0)
		return;
	gauge(out, "process_virtual_memory_bytes", "Size of the address space.", pages[0] * (unsigned long)page);
	gauge(out, "process_resident_memory_bytes", "Memory in use.", pages[1] * (unsigned long)page);
}

static void write_files(struct buf *out)
{
	struct rlimit limit;
	DIR *dir = opendir("/proc/self/fd");
	if (dir != NULL) {
		unsigned long long count = 0;
		for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
			count += entry->d_name[0] != '.';
		closedir(dir);
		/* One of them was the directory itself. */
		gauge(out, "process_open_fds", "Open file descriptors.", count - 1);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		gauge(out, "process_max_fds", "File descriptors allowed.", limit.rlim_cur);
}

void process_write(struct buf *out, time_t started)
{
	write_cpu(out);
	write_memory(out);
	write_files(out);
	gauge(out, "process_start_time_seconds", "When the process began, in seconds since 1970.",
	      (unsigned long long)started);
}
