/*
 * What `connhook review` reads of a file, behind a pipe.
 *
 * Input, repeated:   LENGTH\n  and LENGTH bytes of a file
 * Output, for each:  one line of JSON: {"objects":[...],"lines":[...],"faults":[{"line":N,"message":"..."}]}
 */
#include "base/limits.h"
#include "codec/json_writer.h"
#include "review/reading.h"

#include <stdio.h>
#include <stdlib.h>

static bool answer(const struct manifests *m)
{
	struct buf out;
	buf_init(&out, LIMIT_MANIFEST * 2);
	struct json_writer w = {.out = &out};
	jw_object(&w);
	jw_key(&w, "objects");
	jw_array(&w);
	for (size_t i = 0; i < m->count; i++)
		jw_value(&w, m->items[i].object);
	jw_array_end(&w);
	jw_key(&w, "lines");
	jw_array(&w);
	for (size_t i = 0; i < m->count; i++)
		jw_int(&w, (long long)m->items[i].line);
	jw_array_end(&w);
	jw_key(&w, "faults");
	jw_array(&w);
	for (size_t i = 0; i < m->unreadable_count; i++) {
		jw_object(&w);
		jw_key(&w, "line");
		jw_int(&w, (long long)m->unreadable[i].line);
		jw_member(&w, "message", m->unreadable[i].message);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	bool ok = out.error == 0 && printf("%.*s\n", STR_ARG(buf_str(&out))) > 0 && fflush(stdout) == 0;
	buf_free(&out);
	return ok;
}

static bool serve(size_t length)
{
	struct manifests m;
	struct error err;
	bool ok = false;
	char *text = malloc(length > 0 ? length : 1);
	struct buf copy;
	manifests_init(&m);
	buf_init(&copy, length + 1);
	if (text != NULL && fread(text, 1, length, stdin) == length) {
		buf_add(&copy, (struct str){text, length});
		ok = reading_queue_text(&(struct reading){&m, "file", false, &err}, &copy) == 0 &&
		     manifests_finish(&m, &err) == 0 && answer(&m);
	}
	manifests_free(&m);
	free(text);
	return ok;
}

int main(void)
{
	char line[32];
	while (fgets(line, sizeof line, stdin) != NULL)
		if (!serve(strtoul(line, NULL, 10)))
			return 1;
	return 0;
}
