#include "cli/handover.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "policy/load/load.h"

/* Seconds since 1970 have ten digits until the year 2286. */
#define REPLACED_MAX 16

static void warn(struct handover *h, struct str what)
{
	struct log_line line;
	log_line(&line, h->log, LOG_WARN, "handover");
	log_strz(&line, "directory", h->directory);
	log_str(&line, "error", what);
	log_end(&line);
}

/* Puts the text in the place of what the buffer holds. */
static int keep(struct buf *out, struct str text, struct error *err)
{
	buf_free(out);
	buf_init(out, LIMIT_CONFIG);
	buf_add(out, text);
	return out->error != 0 ? error_nomem(err) : 0;
}

/* A file of the directory. ERR_IO, ERR_LIMIT, ERR_NOMEM. */
static int read_file(const struct handover *h, const char *name, size_t limit, struct buf *out, struct error *err)
{
	struct arena arena = {0};
	struct str path = arena_fmt(&arena, "%s/%s", h->directory, name);
	buf_init(out, limit);
	int code = path.p == NULL ? error_nomem(err) : file_read(path.p, limit, out, err);
	arena_free(&arena);
	return code;
}

/* A moment in seconds since 1970; 0 when the text is none. */
static int64_t moment(struct str text)
{
	int64_t seconds = 0;
	text = str_trim(text);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return 0;
		seconds = seconds * 10 + (text.p[i] - '0');
	}
	return seconds;
}

static bool is_recent(int64_t replaced, int64_t now)
{
	return replaced > now - HANDOVER_ACCEPT_SECONDS && replaced <= now + HANDOVER_SECONDS;
}

/*
 * What the directory says, where that is recent, and no later change than it has been seen since. Nothing there is the
 * normal case. ERR_NOMEM.
 */
static int read_directory(struct handover *h, int64_t now, struct error *err)
{
	struct buf when, previous;
	struct error why = {0};
	int code = read_file(h, "replaced", REPLACED_MAX, &when, &why);
	int64_t replaced = code == 0 ? moment(buf_str(&when)) : 0;
	if (code == ERR_LIMIT || (code == 0 && replaced == 0))
		warn(h, STR("the file replaced holds no moment; expected seconds since 1970"));
	buf_free(&when);
	if (code == ERR_NOMEM)
		return error_nomem(err);
	if (!is_recent(replaced, now) || h->noticed > replaced + HANDOVER_SECONDS)
		return 0;
	code = read_file(h, "previous.yaml", LIMIT_CONFIG, &previous, &why);
	if (code == 0) {
		code = keep(&h->previous, buf_str(&previous), err);
		h->replaced = code == 0 ? replaced : 0;
	} else if (code != ERR_NOMEM) {
		warn(h, error_str(&why));
		code = 0;
	}
	buf_free(&previous);
	return code == ERR_NOMEM ? error_nomem(err) : code;
}

/*
 * Takes note of the text, which is good, and of the one that it replaces. That one was never used where the one before
 * it has not yet handed over. ERR_NOMEM.
 */
static int note(struct handover *h, struct str text, int64_t now, struct error *err)
{
	int code = 0;
	if (h->text.n > 0 && !str_eq(buf_str(&h->text), text)) {
		if (now - h->replaced >= HANDOVER_SECONDS)
			code = keep(&h->previous, buf_str(&h->text), err);
		h->replaced = code == 0 ? now : 0;
		h->noticed = now;
	}
	if (code == 0)
		code = keep(&h->text, text, err);
	return code == 0 ? read_directory(h, now, err) : code;
}

/* Joins *config with the previous one. ERR_NOMEM. */
static int join(struct handover *h, int64_t now, struct config **config, struct error *err)
{
	struct config *current = *config, *previous;
	struct error why;
	if (!is_recent(h->replaced, now))
		return 0;
	int code = config_load(buf_str(&h->previous), "the previous configuration", &previous, &why);
	if (code == ERR_NOMEM)
		return error_nomem(err);
	if (code != 0) {
		warn(h, error_str(&why));
	} else if (str_eq(previous->fingerprint, current->fingerprint)) {
		config_free(previous);
	} else {
		bool early = now - h->replaced < HANDOVER_SECONDS;
		*config = early ? previous : current;
		(*config)->other = early ? current : previous;
	}
	return 0;
}

int handover_config(struct handover *h, struct str text, const char *source, int64_t now, struct config **out,
		    struct error *err)
{
	struct config *current;
	int code = config_load(text, source, &current, err);
	if (code != 0)
		return code;
	if (h->directory != NULL)
		code = note(h, text, now, err);
	if (code == 0 && h->directory != NULL)
		code = join(h, now, &current, err);
	if (code == 0)
		*out = current;
	else
		config_free(current);
	return code;
}

void handover_dispose(struct handover *h)
{
	buf_free(&h->text);
	buf_free(&h->previous);
}
