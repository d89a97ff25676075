/* connhook config test: scores a configuration on a list of inputs whose verdicts are known. */
#ifndef CLI_CONFIG_TEST_H
#define CLI_CONFIG_TEST_H

/* config test [--config FILE] FILE.tsv..., with "test" as argv[0]. The exit status. */
int config_test(int argc, char **argv);

#endif
