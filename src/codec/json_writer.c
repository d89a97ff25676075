#include "codec/json_writer.h"

static void element(struct json_writer *w)
{
	if (w->comma)
		buf_addc(w->out, ',');
	w->comma = true;
}

static void begin(struct json_writer *w, char bracket)
{
	element(w);
	buf_addc(w->out, bracket);
	w->comma = false;
}

static void end(struct json_writer *w, char bracket)
{
	buf_addc(w->out, bracket);
	w->comma = true;
}

void jw_object(struct json_writer *w)
{
	begin(w, '{');
}

void jw_object_end(struct json_writer *w)
{
	end(w, '}');
}

void jw_array(struct json_writer *w)
{
	begin(w, '[');
}

void jw_array_end(struct json_writer *w)
{
	end(w, ']');
}

void jw_key_str(struct json_writer *w, struct str key)
{
	element(w);
	json_write_string(w->out, key);
	buf_addc(w->out, ':');
	w->comma = false;
}

void jw_key(struct json_writer *w, const char *key)
{
	jw_key_str(w, str_of(key));
}

void jw_string(struct json_writer *w, struct str s)
{
	element(w);
	json_write_string(w->out, s);
}

void jw_stringz(struct json_writer *w, const char *z)
{
	jw_string(w, str_of(z));
}

void jw_bool(struct json_writer *w, bool b)
{
	element(w);
	buf_addz(w->out, b ? "true" : "false");
}

void jw_int(struct json_writer *w, long long n)
{
	element(w);
	buf_fmt(w->out, "%lld", n);
}

void jw_value(struct json_writer *w, const struct json *v)
{
	element(w);
	json_write(w->out, v);
}

void jw_raw(struct json_writer *w, struct str text)
{
	element(w);
	buf_add(w->out, text);
}

void jw_list(struct json_writer *w, const char *key, const struct json *const *values, size_t count)
{
	if (count == 0)
		return;
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < count; i++)
		jw_value(w, values[i]);
	jw_array_end(w);
}

void jw_member(struct json_writer *w, const char *key, struct str value)
{
	jw_key(w, key);
	jw_string(w, value);
}

void jw_memberz(struct json_writer *w, const char *key, const char *value)
{
	jw_member(w, key, str_of(value));
}
