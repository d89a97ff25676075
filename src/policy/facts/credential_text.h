/* Characters and words of values, in any case: for the two files that look at credentials. */
#ifndef POLICY_FACTS_CREDENTIAL_TEXT_H
#define POLICY_FACTS_CREDENTIAL_TEXT_H

#include "base/str.h"

#include <string.h>

static inline char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

/* Does the text begin with the word, in any case? The word is in lower case. */
static inline bool begins(struct str text, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i < n; i++)
		if (i >= text.n || lower(text.p[i]) != word[i])
			return false;
	return true;
}

static inline bool is_word(struct str text, const char *word)
{
	return text.n == strlen(word) && begins(text, word);
}

#endif
