/*
 * no-in-cluster-database: databases are managed outside the cluster. A tenant asks for one by a claim, by an object of
 * a database operator, by a field of WebService, or by running a server itself. Caches are not databases.
 */
#include "policy/rule.h"

#include "base/text.h"
#include "kube/image.h"
#include "kube/workload.h"

/* The lists of its configuration. */
enum { IMAGES, ALLOWED_IMAGES };

/* The platform's own group, whose WebService asks by a field. */
#define PLATFORM_GROUP "platform.bizmatters.io"
#define WEB_SERVICE "WebService"

#define INSTEAD \
	"databases are managed outside the cluster; take the URL from an ExternalSecret \"<service>-db\" and bind it " \
	"with the annotation "

/* Group and kind globs. atlas.mongodb.com and the cloud providers' groups manage databases elsewhere: not here. */
static const struct group_kind databases[] = {
	{STR_INIT("database.bizmatters.io"), STR_INIT("PostgresInstance")},
	{STR_INIT("postgresql.cnpg.io"), STR_INIT("*")},                   /* CloudNativePG */
	{STR_INIT("acid.zalan.do"), STR_INIT("postgresql")},               /* Zalando */
	{STR_INIT("postgres-operator.crunchydata.com"), STR_INIT("PostgresCluster")}, /* Crunchy */
	{STR_INIT("stackgres.io"), STR_INIT("SG*Cluster")},
	{STR_INIT("pgv2.percona.com"), STR_INIT("Percona*")},              /* Percona */
	{STR_INIT("pg.percona.com"), STR_INIT("Percona*")},
	{STR_INIT("pxc.percona.com"), STR_INIT("PerconaXtraDB*")},
	{STR_INIT("ps.percona.com"), STR_INIT("Percona*")},
	{STR_INIT("psmdb.percona.com"), STR_INIT("Percona*")},
	{STR_INIT("mysql.oracle.com"), STR_INIT("InnoDBCluster")},         /* MySQL */
	{STR_INIT("mysql.presslabs.org"), STR_INIT("Mysql*")},
	{STR_INIT("moco.cybozu.com"), STR_INIT("MySQLCluster")},
	{STR_INIT("planetscale.com"), STR_INIT("Vitess*")},
	{STR_INIT("k8s.mariadb.com"), STR_INIT("*")},                      /* MariaDB */
	{STR_INIT("mariadb.mmontes.io"), STR_INIT("*")},
	{STR_INIT("enterprise.mariadb.com"), STR_INIT("*")},
	{STR_INIT("mongodbcommunity.mongodb.com"), STR_INIT("*")},         /* MongoDB */
	{STR_INIT("mongodb.com"), STR_INIT("MongoDB*")},
	{STR_INIT("crdb.cockroachlabs.com"), STR_INIT("*")},               /* CockroachDB */
	{STR_INIT("cassandra.datastax.com"), STR_INIT("*")},               /* Cassandra, K8ssandra */
	{STR_INIT("k8ssandra.io"), STR_INIT("*")},
	{STR_INIT("scylla.scylladb.com"), STR_INIT("Scylla*")},            /* Scylla */
	{STR_INIT("clickhouse.altinity.com"), STR_INIT("ClickHouseInstallation*")}, /* ClickHouse */
	{STR_INIT("clickhouse.com"), STR_INIT("ClickHouseCluster")},
	{STR_INIT("kubedb.com"), STR_INIT("Postgres")},                    /* KubeDB; its caches are not databases */
	{STR_INIT("kubedb.com"), STR_INIT("MySQL")},
	{STR_INIT("kubedb.com"), STR_INIT("MariaDB")},
	{STR_INIT("kubedb.com"), STR_INIT("MongoDB")},
	{STR_INIT("kubedb.com"), STR_INIT("PerconaXtraDB")},
	{STR_INIT("kubedb.com"), STR_INIT("Cassandra")},
	{STR_INIT("kubedb.com"), STR_INIT("ClickHouse")},
	{STR_INIT("kubedb.com"), STR_INIT("MSSQLServer")},
	{STR_INIT("kubedb.com"), STR_INIT("Oracle")},
	{STR_INIT("kubedb.com"), STR_INIT("Singlestore")},
	{STR_INIT("kubedb.com"), STR_INIT("FerretDB")},
	{STR_INIT("kubedb.com"), STR_INIT("Neo4j")},
	{STR_INIT("apps.kubeblocks.io"), STR_INIT("Cluster")},             /* KubeBlocks */
	{STR_INIT("yugabyte.com"), STR_INIT("YB*")},                       /* YugabyteDB */
	{STR_INIT("operator.yugabyte.io"), STR_INIT("YB*")},
	{STR_INIT("pingcap.com"), STR_INIT("TidbCluster")},                /* TiDB */
	{STR_INIT("core.pingcap.com"), STR_INIT("*")},
};

/* The last part of an image's repository; with a slash, the last parts. */
static const struct str server_images[] = {
	STR_INIT("postgres"), STR_INIT("postgresql"), STR_INIT("postgresql-repmgr"), STR_INIT("postgis"),
	STR_INIT("pgvector"), STR_INIT("timescaledb"), STR_INIT("timescaledb-ha"), STR_INIT("crunchy-postgres*"),
	STR_INIT("spilo*"), STR_INIT("mysql"), STR_INIT("mysql-server"), STR_INIT("mysql/*-server"), STR_INIT("mariadb"),
	STR_INIT("mariadb-galera"), STR_INIT("percona"), STR_INIT("percona-server"), STR_INIT("percona-server-mongodb"),
	STR_INIT("percona-xtradb-cluster"), STR_INIT("mongo"), STR_INIT("mongodb"), STR_INIT("mongodb-sharded"),
	STR_INIT("mongodb-*-server"), STR_INIT("cockroach"), STR_INIT("cassandra"), STR_INIT("scylla"),
	STR_INIT("clickhouse"), STR_INIT("clickhouse-server"), STR_INIT("yugabyte"), STR_INIT("tidb"), STR_INIT("tikv"),
	STR_INIT("mssql/server"), STR_INIT("database/express"), STR_INIT("database/free"),
	STR_INIT("database/enterprise"), STR_INIT("oracle-free"), STR_INIT("oracle-xe"), STR_INIT("neo4j"),
	STR_INIT("couchdb"), STR_INIT("couchbase"), STR_INIT("arangodb"), STR_INIT("influxdb"), STR_INIT("surrealdb"),
	STR_INIT("rethinkdb"), STR_INIT("ferretdb"),
};

/* Not servers, whatever list a configuration adds. */
static const struct str other_images[] = {
	STR_INIT("*exporter*"), STR_INIT("*-client"), STR_INIT("*-proxy"), STR_INIT("*-operator"), STR_INIT("*-backup"),
	STR_INIT("pgbouncer*"), STR_INIT("pgpool*"), STR_INIT("proxysql*"),
};

static const struct str clients[] = {
	STR_INIT("psql"), STR_INIT("pg_dump"), STR_INIT("pg_dumpall"), STR_INIT("pg_restore"), STR_INIT("pg_isready"),
	STR_INIT("createdb"), STR_INIT("dropdb"), STR_INIT("mysql"), STR_INIT("mysqldump"), STR_INIT("mysqladmin"),
	STR_INIT("mariadb"), STR_INIT("mariadb-dump"), STR_INIT("mariadb-admin"), STR_INIT("mongosh"), STR_INIT("mongo"),
	STR_INIT("mongodump"), STR_INIT("mongorestore"), STR_INIT("cqlsh"), STR_INIT("clickhouse-client"),
};

const struct names rule_database_clients = RULE_NAMES(clients);

/* A glob without a slash is about the last part of the repository; one with slashes about as many last parts. */
static bool image_matches(const struct names *list, const struct image *image)
{
	for (size_t i = 0; i < list->count; i++) {
		struct str glob = list->items[i], tail = image->repository;
		size_t slashes = 0, start = tail.n;
		for (size_t k = 0; k < glob.n; k++)
			slashes += glob.p[k] == '/';
		while (start > 0 && (tail.p[start - 1] != '/' || slashes-- > 0))
			start--;
		if (str_glob(glob, str_from(tail, start)))
			return true;
	}
	return false;
}

static bool runs_client(const struct json *container)
{
	struct str program = json_string(json_first(json_getz(container, "command")));
	size_t slash = str_rfind(program, '/');
	if (slash < program.n)
		program = str_from(program, slash + 1);
	return names_match(&rule_database_clients, program);
}

static void check_containers(const struct rule_context *context, const struct json *list, const char *name,
			     bool sidecars_only, struct violations *found)
{
	size_t index = 0;
	for (const struct json *c = json_first(list); c != NULL; c = json_next(c), index++) {
		struct str reference = str_trim(json_string(json_getz(c, "image")));
		struct image image;
		if (sidecars_only && !str_eqz(json_string(json_getz(c, "restartPolicy")), "Always"))
			continue;
		if (!image_parse(reference, &image) || !image_matches(&context->rule->lists[IMAGES], &image) ||
		    image_matches(&context->rule->lists[ALLOWED_IMAGES], &image) || runs_client(c))
			continue;
		violation_add(found,
			      arena_fmt(context->arena, "%s.spec.%s[%zu].image", context->workload->kind->template_field, name,
					index),
			      arena_fmt(context->arena, "%s:%.*s:image:%.*s", name, STR_ARG(container_name(c)), STR_ARG(reference)),
			      "found image %s, a database server; expected none: " INSTEAD "%.*s/bindings: db",
			      text_quote_name(reference).text, STR_ARG(context->config->annotation_prefix));
	}
}

static void check(const struct rule_context *context, struct violations *found)
{
	const struct review_request *request = context->request;
	struct str prefix = context->config->annotation_prefix;
	if (rule_kind_matches(context->rule, request))
		violation_add(found, STR("kind"), STR("kind"),
			      "found kind %.*s of %.*s, an in-cluster database; expected none: " INSTEAD "%.*s/bindings: db",
			      STR_ARG(str_utf8_cut(request->kind, LIMIT_QUOTE)),
			      STR_ARG(str_utf8_cut(request->group, LIMIT_QUOTE)), STR_ARG(prefix));
	const struct json *database = json_path(context->object, "spec", "databaseName", NULL);
	if (str_eqz(request->group, PLATFORM_GROUP) && str_eqz(request->kind, WEB_SERVICE) &&
	    !json_is_empty(database))
		violation_add(found, STR("spec.databaseName"),
			      rule_identity(context, STR("spec.databaseName"), database),
			      "found %s, which asks for an in-cluster database; expected the field to be left out: " INSTEAD
			      "%.*s/bindings: db",
			      json_quote(database).text, STR_ARG(prefix));
	if (context->workload == NULL)
		return;
	check_containers(context, context->workload->containers, "containers", false, found);
	check_containers(context, context->workload->init_containers, "initContainers", true, found);
}

/* Repositories, without registry, tag and digest. */
static bool is_repository_glob(struct str s)
{
	return name_is_glob_of(s, "-_./") && s.p[0] != '/' && s.p[s.n - 1] != '/';
}

static const struct name_form repository_globs = {
	is_repository_glob, "a repository without registry and tag, or the last parts of one: acme-db, acme/db-*"};

static const struct rule_resource resources[] = {
	{PLATFORM_GROUP, WEB_SERVICE, "*", false}, {NULL, NULL, NULL, false},
};

const struct rule rule_no_in_cluster_database = {
	.id = "no-in-cluster-database",
	.mode = MODE_ENFORCE,
	.forbidden = true,
	.check = check,
	.resources = resources,
	.kinds = databases,
	.kind_count = sizeof databases / sizeof databases[0],
	.lists = {
		[IMAGES] = {.key = "images", .names = RULE_NAMES(server_images), .form = &repository_globs},
		[ALLOWED_IMAGES] = {.key = "allowedImages", .names = RULE_NAMES(other_images), .form = &repository_globs},
	},
};
