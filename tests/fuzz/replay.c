/* Runs a target over files and folders without a fuzzer: how a plain compiler replays the corpus. */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static unsigned long inputs;

static void replay_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(size + 1);
	must(f != NULL && data != NULL && fread(data, 1, size, f) == size, path);
	(void)LLVMFuzzerTestOneInput(data, size);
	inputs++;
	free(data);
	(void)fclose(f);
}

static void replay(const char *path)
{
	struct stat st;
	must(stat(path, &st) == 0, path);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return;
	}
	DIR *d = opendir(path);
	must(d != NULL, path);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char inner[4096];
		int n = snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
		must(n > 0 && (size_t)n < sizeof inner, path);
		if (e->d_name[0] != '.')
			replay(inner);
	}
	(void)closedir(d);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%lu inputs replayed\n", inputs);
	return inputs > 0 ? 0 : 1;
}
