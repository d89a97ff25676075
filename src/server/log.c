#include "server/log.h"

#include "base/text.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const format_names[] = {"text", "json"};

/* What the end of a line needs: a brace and a newline. */
#define TAIL 2

bool log_level_parse(struct str name, enum log_level *out)
{
	for (unsigned i = 0; i < sizeof level_names / sizeof *level_names; i++)
		if (str_eqz(name, level_names[i])) {
			*out = (enum log_level)i;
			return true;
		}
	return false;
}

bool log_format_parse(struct str name, enum log_format *out)
{
	for (unsigned i = 0; i < sizeof format_names / sizeof *format_names; i++)
		if (str_eqz(name, format_names[i])) {
			*out = (enum log_format)i;
			return true;
		}
	return false;
}

/* Appends; false when the line has no room, and the caller puts `n` back to where its value began. */
static bool put(struct log_line *line, const char *p, size_t n)
{
	if (n > sizeof line->text - TAIL - line->n)
		return false;
	memcpy(line->text + line->n, p, n);
	line->n += n;
	return true;
}

static bool putz(struct log_line *line, const char *z)
{
	return put(line, z, strlen(z));
}

/* One character, escaped as JSON wants it, which logfmt reads as well. Returns how many bytes it took. */
static size_t put_character(struct log_line *line, struct str s, bool *fits)
{
	char escaped[TEXT_ESCAPE_MAX + 1];
	unsigned long c = 0;
	size_t n = text_character(s, &c);
	bool seen = text_is_seen(c);
	if (n == 0 || (!seen && c > 0xFFFF))
		*fits = putz(line, "\\ufffd");
	else if (c == '"' || c == '\\')
		*fits = put(line, (char[]){'\\', (char)c}, 2);
	else if (!seen)
		*fits = snprintf(escaped, sizeof escaped, "\\u%04lx", c) == TEXT_ESCAPE_MAX &&
			put(line, escaped, TEXT_ESCAPE_MAX);
	else
		*fits = put(line, s.p, n);
	return n ? n : 1;
}

static bool put_quoted(struct log_line *line, struct str value)
{
	struct str shown = str_utf8_cut(value, LIMIT_LOG_VALUE);
	bool fits = put(line, "\"", 1);
	while (fits && shown.n > 0)
		shown = str_from(shown, put_character(line, shown, &fits));
	return fits && (value.n <= LIMIT_LOG_VALUE || putz(line, "...")) && put(line, "\"", 1);
}

/* Can logfmt show the value without quotes? */
static bool is_plain(struct str value)
{
	size_t length = value.n, n = 1;
	for (; value.n > 0; value = str_from(value, n)) {
		unsigned long c;
		n = text_character(value, &c);
		if (n == 0 || !text_is_seen(c) || c == ' ' || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return length > 0 && length <= LIMIT_LOG_VALUE;
}

static bool put_key(struct log_line *line, const char *key)
{
	if (line->log->format == LOG_TEXT)
		return (line->n == 0 || put(line, " ", 1)) && putz(line, key) && put(line, "=", 1);
	return putz(line, line->n == 0 ? "{\"" : ",\"") && putz(line, key) && putz(line, "\":");
}

static bool put_text(struct log_line *line, struct str value)
{
	if (line->log->format == LOG_TEXT && is_plain(value))
		return put(line, value.p, value.n);
	return put_quoted(line, value);
}

void log_str(struct log_line *line, const char *key, struct str value)
{
	size_t before = line->n;
	if (line->log != NULL && !(put_key(line, key) && put_text(line, value)))
		line->n = before;
}

void log_strz(struct log_line *line, const char *key, const char *value)
{
	log_str(line, key, str_of(value));
}

void log_fmt(struct log_line *line, const char *key, const char *format, ...)
{
	char text[LIMIT_LOG_VALUE + 1];
	if (line->log == NULL)
		return;
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n >= 0)
		log_strz(line, key, text);
}

static void log_word(struct log_line *line, const char *key, const char *word)
{
	size_t before = line->n;
	if (line->log != NULL && !(put_key(line, key) && putz(line, word)))
		line->n = before;
}

void log_int(struct log_line *line, const char *key, long long value)
{
	char text[32];
	if (snprintf(text, sizeof text, "%lld", value) > 0)
		log_word(line, key, text);
}

void log_bool(struct log_line *line, const char *key, bool value)
{
	log_word(line, key, value ? "true" : "false");
}

void log_seconds(struct log_line *line, const char *key, uint64_t nanoseconds)
{
	char text[32];
	if (snprintf(text, sizeof text, "%llu.%06llu", (unsigned long long)(nanoseconds / 1000000000),
		     (unsigned long long)(nanoseconds % 1000000000 / 1000)) > 0)
		log_word(line, key, text);
}

void log_line(struct log_line *line, struct log *log, enum log_level level, const char *message)
{
	line->log = level < log->least ? NULL : log;
	line->n = 0;
	if (line->log == NULL)
		return;
	struct timespec now;
	struct tm utc;
	char seconds[32];
	if (clock_gettime(CLOCK_REALTIME, &now) == 0 && gmtime_r(&now.tv_sec, &utc) != NULL &&
	    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc) > 0)
		log_fmt(line, "time", "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
	log_strz(line, "level", level_names[level]);
	log_strz(line, "msg", message);
}

static void finish(struct log_line *line, enum log_format format)
{
	if (format == LOG_JSON)
		line->text[line->n++] = '}';
	line->text[line->n++] = '\n';
}

/*
 * Writes at once or not at all. A pipe that is ready takes PIPE_BUF bytes whole, which no line exceeds (pipe(7)); the
 * caller holds the lock, so that no other thread fills it meanwhile. O_NONBLOCK is not the way: it would hold for
 * every process that has the same standard error.
 */
static bool write_now(struct log *log, const char *p, size_t n)
{
	struct pollfd file = {.fd = log->fd, .events = POLLOUT};
	if (poll(&file, 1, 0) != 1)
		return false;
	ssize_t written = write(log->fd, p, n);
	if (written > 0)
		log->torn = (size_t)written < n;
	return written == (ssize_t)n;
}

/* Says how many lines are missing before the next one. */
static bool tell_lost(struct log *log)
{
	struct log_line line;
	if (log->torn && !write_now(log, "\n", 1))
		return false;
	log_line(&line, log, LOG_ERROR, "lines of the log were lost");
	log_int(&line, "lines", (long long)(log->lost - log->told));
	finish(&line, log->format);
	if (!write_now(log, line.text, line.n))
		return false;
	log->told = log->lost;
	return true;
}

void log_end(struct log_line *line)
{
	struct log *log = line->log;
	if (log == NULL)
		return;
	finish(line, log->format);
	pthread_mutex_lock(&log->lock);
	if ((log->told < log->lost && !tell_lost(log)) || !write_now(log, line->text, line->n))
		log->lost++;
	pthread_mutex_unlock(&log->lock);
	line->log = NULL;
}

unsigned long long log_lost(struct log *log)
{
	pthread_mutex_lock(&log->lock);
	unsigned long long lost = log->lost;
	pthread_mutex_unlock(&log->lock);
	return lost;
}

bool log_valve_pass(struct log_valve *valve, int64_t now, unsigned long long *held)
{
	int64_t second = now / 1000;
	if (second != valve->second) {
		valve->second = second;
		valve->passed = 0;
	}
	if (valve->passed >= LIMIT_LOG_BURST) {
		valve->held++;
		return false;
	}
	valve->passed++;
	*held = valve->held;
	valve->held = 0;
	return true;
}
