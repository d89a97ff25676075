/* The log: one line an event, as logfmt or JSON, written whole. Never an object's content. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include "base/limits.h"
#include "base/str.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* Where lines go, and which. Start with LOG_TO; not to be copied once a line was written. */
struct log {
	int fd;
	enum log_level least;
	enum log_format format;
	pthread_mutex_t lock;    /* over all that follows, and over writing */
	unsigned long long lost; /* lines that could not be written */
	unsigned long long told; /* how many of them the log knows of */
	bool torn;               /* the last line was written in part */
};

/* The initializer of a log that has lost nothing yet. */
#define LOG_TO(file) {.fd = (file), .least = LOG_INFO, .format = LOG_TEXT, .lock = PTHREAD_MUTEX_INITIALIZER}

/* A line that is being put together: log_line, then values, then log_end. */
struct log_line {
	struct log *log; /* NULL: the level is not wanted, and the rest does nothing */
	size_t n;
	char text[LIMIT_LOG_LINE];
};

/* "debug", "info", "warn", "error"; "text", "json". False when `name` is none of them, and *out is untouched. */
bool log_level_parse(struct str name, enum log_level *out);
bool log_format_parse(struct str name, enum log_format *out);

/* Begins a line with the time (UTC), the level and the message. */
void log_line(struct log_line *line, struct log *log, enum log_level level, const char *message);

/*
 * Adds key=value. A value is escaped and cut after LIMIT_LOG_VALUE bytes; one for which the line has no room is left
 * out. `key` is a plain word.
 */
void log_str(struct log_line *line, const char *key, struct str value);
void log_strz(struct log_line *line, const char *key, const char *value);
void log_fmt(struct log_line *line, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for a number or a truth value, which JSON does not quote. */
void log_int(struct log_line *line, const char *key, long long value);
void log_bool(struct log_line *line, const char *key, bool value);
void log_seconds(struct log_line *line, const char *key, uint64_t nanoseconds);

/*
 * Writes the line, unless that would have to wait: a full pipe whose reader has stopped, or a full disk, must not stop
 * a request. Lines that are lost are counted, and the next line that can be written is preceded by one that says so.
 */
void log_end(struct log_line *line);

/* How many lines were lost since the beginning. */
unsigned long long log_lost(struct log *log);

/* Lets LIMIT_LOG_BURST lines a second pass. Start with {0}; for one thread. */
struct log_valve {
	int64_t second;
	unsigned passed;
	unsigned long long held; /* since the last line that passed */
};

/* May a line be written at `now` (milliseconds of a steady clock)? If so, *held is how many before it were not. */
bool log_valve_pass(struct log_valve *valve, int64_t now, unsigned long long *held);

#endif
