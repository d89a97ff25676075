#include "policy/load/load.h"

static const unsigned char profile_managed[] = {
#include "profile_managed.h"
};

static const unsigned char profile_in_cluster[] = {
#include "profile_in-cluster.h"
};

struct str config_profile(struct str name)
{
	if (str_eqz(name, "managed"))
		return (struct str){(const char *)profile_managed, sizeof profile_managed};
	if (str_eqz(name, "in-cluster"))
		return (struct str){(const char *)profile_in_cluster, sizeof profile_in_cluster};
	return (struct str){NULL, 0};
}
