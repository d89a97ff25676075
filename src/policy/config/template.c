#include "policy/config/template.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/text.h"

/* The length of the placeholder that `text` begins with, braces included; 0 when it is none. */
static size_t placeholder(struct str text)
{
	static const char *const known[] = {"{app}", "{namespace}", "{instance}"};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (str_starts(text, str_of(known[i])))
			return str_of(known[i]).n;
	return 0;
}

int template_check(struct str text, struct error *err)
{
	for (size_t i = 0; i < text.n;) {
		struct str rest = str_from(text, i);
		size_t n = text.p[i] == '{' ? placeholder(rest) : 1;
		if (text.p[i] == '}' || n == 0) {
			size_t end = str_find(rest, '}');
			rest.n = text.p[i] == '}' ? 1 : end < rest.n ? end + 1 : rest.n;
			return error_set(err, ERR_INVALID,
					 "%s in a template is no placeholder; expected {app}, {namespace} or {instance}",
					 text_quote(rest).text);
		}
		i += n;
	}
	return 0;
}

bool template_wants_instance(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (str_starts(str_from(text, i), STR("{instance}")))
			return true;
	return false;
}

struct str template_expand(struct arena *arena, struct str text, const struct template_values *values)
{
	struct buf out;
	buf_init(&out, LIMIT_ANNOTATION);
	buf_addz(&out, "");
	for (size_t i = 0; i < text.n;) {
		struct str rest = str_from(text, i);
		size_t n = text.p[i] == '{' ? placeholder(rest) : 0;
		if (n == 0)
			buf_addc(&out, text.p[i]);
		else
			buf_add(&out, rest.p[1] == 'a' ? values->app : rest.p[1] == 'n' ? values->namespace : values->instance);
		i += n > 0 ? n : 1;
	}
	struct str result = arena_str(arena, buf_str(&out));
	if (result.p == NULL)
		arena->failed = true;
	buf_free(&out);
	return result;
}
