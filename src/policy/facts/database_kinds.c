/*
 * Kinds that make a database's server, by group and kind globs: not their users, backups and restores. The groups of
 * cloud providers, and atlas.mongodb.com, make databases elsewhere. Sources: the CustomResourceDefinitions of each
 * operator; operatorhub.io and artifacthub.io list most of them.
 */
#include "policy/facts/database_kinds.h"

const struct group_kind database_kinds[DATABASE_KINDS] = {
	{STR_INIT("database.bizmatters.io"), STR_INIT("*PostgresInstance")}, /* the platform's own claims */
	{STR_INIT("cache.bizmatters.io"), STR_INIT("*PostgresInstance")},
	{STR_INIT("postgresql.cnpg.io"), STR_INIT("Cluster")}, /* CloudNativePG, and its commercial builds */
	{STR_INIT("postgresql.cnpg.io"), STR_INIT("Database")},
	{STR_INIT("postgresql.cnpg.io"), STR_INIT("Pooler")},
	{STR_INIT("postgresql.k8s.enterprisedb.io"), STR_INIT("Cluster")},
	{STR_INIT("postgresql.k8s.enterprisedb.io"), STR_INIT("Database")},
	{STR_INIT("postgresql.k8s.enterprisedb.io"), STR_INIT("Pooler")},
	{STR_INIT("pgd.k8s.enterprisedb.io"), STR_INIT("PGDGroup")}, /* EDB */
	{STR_INIT("pgd.k8s.enterprisedb.io"), STR_INIT("PGDGroupCluster")},
	{STR_INIT("acid.zalan.do"), STR_INIT("postgresql")}, /* Zalando */
	{STR_INIT("postgres-operator.crunchydata.com"), STR_INIT("PostgresCluster")}, /* Crunchy */
	{STR_INIT("crunchydata.com"), STR_INIT("Pgcluster")},
	{STR_INIT("crunchydata.com"), STR_INIT("Pgreplica")},
	{STR_INIT("stackgres.io"), STR_INIT("SG*Cluster")}, /* StackGres */
	{STR_INIT("stackgres.io"), STR_INIT("SGDistributedLogs")},
	{STR_INIT("sql.tanzu.vmware.com"), STR_INIT("Postgres")}, /* VMware */
	{STR_INIT("with.sql.tanzu.vmware.com"), STR_INIT("MySQL")},
	{STR_INIT("kubegres.reactive-tech.io"), STR_INIT("Kubegres")},
	{STR_INIT("postgresql.dev4devs.com"), STR_INIT("Database")},
	{STR_INIT("arcdata.microsoft.com"), STR_INIT("PostgreSql")}, /* Azure Arc */
	{STR_INIT("arcdata.microsoft.com"), STR_INIT("SqlManagedInstance")},
	{STR_INIT("sql.arcdata.microsoft.com"), STR_INIT("SqlManagedInstance")},
	{STR_INIT("alloydbomni.dbadmin.goog"), STR_INIT("DBCluster")}, /* AlloyDB Omni */
	{STR_INIT("oracle.db.anthosapis.com"), STR_INIT("Instance")},
	{STR_INIT("pgv2.percona.com"), STR_INIT("PerconaPGCluster")}, /* Percona */
	{STR_INIT("pg.percona.com"), STR_INIT("PerconaPGCluster")},
	{STR_INIT("pxc.percona.com"), STR_INIT("PerconaXtraDBCluster")},
	{STR_INIT("ps.percona.com"), STR_INIT("PerconaServer*MySQL")},
	{STR_INIT("psmdb.percona.com"), STR_INIT("PerconaServerMongoDB")},
	{STR_INIT("everest.percona.com"), STR_INIT("DatabaseCluster")},
	{STR_INIT("mysql.oracle.com"), STR_INIT("InnoDBCluster")}, /* MySQL */
	{STR_INIT("mysql.presslabs.org"), STR_INIT("MysqlCluster")},
	{STR_INIT("mysql.radondb.com"), STR_INIT("MysqlCluster")},
	{STR_INIT("moco.cybozu.com"), STR_INIT("MySQLCluster")},
	{STR_INIT("ndb.oracle.com"), STR_INIT("Ndb")},
	{STR_INIT("ndb.oracle.com"), STR_INIT("NdbCluster")},
	{STR_INIT("mysql.oracle.com"), STR_INIT("NdbCluster")},
	{STR_INIT("planetscale.com"), STR_INIT("VitessCluster")},
	{STR_INIT("planetscale.com"), STR_INIT("VitessCell")},
	{STR_INIT("planetscale.com"), STR_INIT("VitessKeyspace")},
	{STR_INIT("planetscale.com"), STR_INIT("VitessShard")}, /* Vitess */
	{STR_INIT("k8s.mariadb.com"), STR_INIT("MariaDB")}, /* MariaDB */
	{STR_INIT("k8s.mariadb.com"), STR_INIT("MaxScale")},
	{STR_INIT("mariadb.mmontes.io"), STR_INIT("MariaDB")},
	{STR_INIT("mariadb.mmontes.io"), STR_INIT("MaxScale")},
	{STR_INIT("enterprise.mariadb.com"), STR_INIT("MariaDB")},
	{STR_INIT("enterprise.mariadb.com"), STR_INIT("MaxScale")},
	{STR_INIT("mariadb.org"), STR_INIT("MariaDB")},
	{STR_INIT("mariadb.persistentsys"), STR_INIT("MariaDB")},
	{STR_INIT("mariadb.openstack.org"), STR_INIT("Galera")}, /* OpenStack */
	{STR_INIT("mariadb.openstack.org"), STR_INIT("MariaDB")},
	{STR_INIT("mongodbcommunity.mongodb.com"), STR_INIT("MongoDBCommunity")}, /* MongoDB */
	{STR_INIT("mongodb.com"), STR_INIT("MongoDB")},
	{STR_INIT("mongodb.com"), STR_INIT("MongoDBCommunity")},
	{STR_INIT("mongodb.com"), STR_INIT("MongoDBMultiCluster")},
	{STR_INIT("mongodb.com"), STR_INIT("MongoDBMulti")},
	{STR_INIT("mongodb.com"), STR_INIT("MongoDBOpsManager")},
	{STR_INIT("opstreelabs.in"), STR_INIT("MongoDB")},
	{STR_INIT("opstreelabs.in"), STR_INIT("MongoDBCluster")},
	{STR_INIT("documentdb.io"), STR_INIT("DocumentDB")}, /* DocumentDB, FerretDB */
	{STR_INIT("db.microsoft.com"), STR_INIT("DocumentDB")},
	{STR_INIT("crdb.cockroachlabs.com"), STR_INIT("CrdbCluster")}, /* CockroachDB */
	{STR_INIT("crdb.cockroachlabs.com"), STR_INIT("CrdbNode")},
	{STR_INIT("cassandra.datastax.com"), STR_INIT("CassandraDatacenter")}, /* Cassandra */
	{STR_INIT("k8ssandra.io"), STR_INIT("K8ssandraCluster")},
	{STR_INIT("stargate.k8ssandra.io"), STR_INIT("Stargate")},
	{STR_INIT("missioncontrol.datastax.com"), STR_INIT("MissionControlCluster")},
	{STR_INIT("db.orange.com"), STR_INIT("CassandraCluster")},
	{STR_INIT("cassandraoperator.instaclustr.com"), STR_INIT("CassandraDataCenter")},
	{STR_INIT("cassandraoperator.instaclustr.com"), STR_INIT("CassandraCluster")},
	{STR_INIT("core.sky.uk"), STR_INIT("Cassandra")},
	{STR_INIT("scylla.scylladb.com"), STR_INIT("ScyllaCluster")}, /* Scylla */
	{STR_INIT("scylla.scylladb.com"), STR_INIT("ScyllaDBCluster")},
	{STR_INIT("scylla.scylladb.com"), STR_INIT("ScyllaDBDatacenter")},
	{STR_INIT("clickhouse.altinity.com"), STR_INIT("ClickHouseInstallation")}, /* ClickHouse */
	{STR_INIT("clickhouse.radondb.com"), STR_INIT("ClickHouse*")},
	{STR_INIT("clickhouse.com"), STR_INIT("ClickHouseCluster")},
	{STR_INIT("kubedb.com"), STR_INIT("Postgres")}, /* KubeDB; its caches and queues are no databases */
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
	{STR_INIT("kubedb.com"), STR_INIT("DB2")},
	{STR_INIT("kubedb.com"), STR_INIT("HanaDB")},
	{STR_INIT("kubedb.com"), STR_INIT("DocumentDB")},
	{STR_INIT("kubedb.com"), STR_INIT("Druid")},
	{STR_INIT("apps.kubeblocks.io"), STR_INIT("Cluster")}, /* KubeBlocks */
	{STR_INIT("apps.kubeblocks.io"), STR_INIT("Component")},
	{STR_INIT("workloads.kubeblocks.io"), STR_INIT("InstanceSet")},
	{STR_INIT("yugabyte.com"), STR_INIT("YB*")}, /* YugabyteDB */
	{STR_INIT("operator.yugabyte.io"), STR_INIT("YBUniverse")},
	{STR_INIT("pingcap.com"), STR_INIT("TidbCluster")}, /* TiDB */
	{STR_INIT("core.pingcap.com"), STR_INIT("Cluster")},
	{STR_INIT("core.pingcap.com"), STR_INIT("TiDBGroup")},
	{STR_INIT("core.pingcap.com"), STR_INIT("TiKVGroup")},
	{STR_INIT("core.pingcap.com"), STR_INIT("PDGroup")},
	{STR_INIT("core.pingcap.com"), STR_INIT("TiFlashGroup")},
	{STR_INIT("core.pingcap.com"), STR_INIT("TiDB")},
	{STR_INIT("core.pingcap.com"), STR_INIT("TiKV")},
	{STR_INIT("core.pingcap.com"), STR_INIT("PD")},
	{STR_INIT("core.pingcap.com"), STR_INIT("TiFlash")},
	{STR_INIT("database.arangodb.com"), STR_INIT("ArangoDeployment")}, /* ArangoDB */
	{STR_INIT("database.arangodb.com"), STR_INIT("ArangoMember")},
	{STR_INIT("couchbase.com"), STR_INIT("CouchbaseCluster")}, /* Couchbase */
	{STR_INIT("couchdb.databases.cloud.ibm.com"), STR_INIT("CouchDBCluster")}, /* CouchDB */
	{STR_INIT("oceanbase.oceanbase.com"), STR_INIT("OBCluster")}, /* OceanBase */
	{STR_INIT("oceanbase.oceanbase.com"), STR_INIT("OBZone")},
	{STR_INIT("oceanbase.oceanbase.com"), STR_INIT("OBServer")},
	{STR_INIT("oceanbase.oceanbase.com"), STR_INIT("OBTenant")},
	{STR_INIT("polardbx.aliyun.com"), STR_INIT("PolarDBXCluster")}, /* PolarDB */
	{STR_INIT("polardbx.aliyun.com"), STR_INIT("XStore")},
	{STR_INIT("opengauss.sig"), STR_INIT("OpenGaussCluster")}, /* openGauss */
	{STR_INIT("database.oracle.com"), STR_INIT("SingleInstanceDatabase")}, /* Oracle */
	{STR_INIT("database.oracle.com"), STR_INIT("ShardingDatabase")},
	{STR_INIT("database.oracle.com"), STR_INIT("RacDatabase")},
	{STR_INIT("database.oracle.com"), STR_INIT("OracleRestart")},
	{STR_INIT("dh2i.com"), STR_INIT("DxEnterpriseSqlAg")},
	{STR_INIT("db2u.databases.ibm.com"), STR_INIT("Db2uCluster")}, /* Db2 */
	{STR_INIT("db2u.databases.ibm.com"), STR_INIT("Db2uInstance")},
	{STR_INIT("doris.selectdb.com"), STR_INIT("DorisCluster")}, /* Doris */
	{STR_INIT("doris.selectdb.com"), STR_INIT("DorisDisaggregatedCluster")},
	{STR_INIT("doris.apache.com"), STR_INIT("DorisCluster")},
	{STR_INIT("starrocks.com"), STR_INIT("StarRocksCluster")}, /* StarRocks */
	{STR_INIT("starrocks.com"), STR_INIT("StarRocksWarehouse")},
	{STR_INIT("druid.apache.org"), STR_INIT("Druid")},
	{STR_INIT("hbase.stackable.tech"), STR_INIT("HbaseCluster")},
	{STR_INIT("kvstore.flipkart.com"), STR_INIT("HbaseCluster")},
	{STR_INIT("druid.stackable.tech"), STR_INIT("DruidCluster")},
	{STR_INIT("neo4j.neo4j.com"), STR_INIT("Neo4jCluster")},
	{STR_INIT("neo4j.neo4j.com"), STR_INIT("Neo4jEnterpriseCluster")},
	{STR_INIT("neo4j.neo4j.com"), STR_INIT("Neo4jEnterpriseStandalone")},
	{STR_INIT("neo4j.neo4j.com"), STR_INIT("Neo4jSingleInstance")},
	{STR_INIT("apps.nebula-graph.io"), STR_INIT("NebulaCluster")}, /* NebulaGraph */
	{STR_INIT("apps.nebula-cloud.io"), STR_INIT("NebulaCluster")},
	{STR_INIT("influxdata.com"), STR_INIT("Influxdb*")}, /* InfluxDB */
	{STR_INIT("greptime.io"), STR_INIT("GreptimeDB*")}, /* GreptimeDB */
	{STR_INIT("cloud.crate.io"), STR_INIT("CrateDB")}, /* CrateDB */
	{STR_INIT("memsql.com"), STR_INIT("MemsqlCluster")}, /* SingleStore */
	{STR_INIT("ravendb.ravendb.io"), STR_INIT("RavenDBCluster")}, /* RavenDB */
	{STR_INIT("tarantool.io"), STR_INIT("Cluster")}, /* Tarantool */
	{STR_INIT("tarantool.io"), STR_INIT("Cartridge*")},
	{STR_INIT("tarantool.io"), STR_INIT("ReplicasetTemplate")},
	{STR_INIT("aerospike.com"), STR_INIT("AerospikeCluster")}, /* Aerospike */
	{STR_INIT("asdb.aerospike.com"), STR_INIT("AerospikeCluster")},
	{STR_INIT("apps.foundationdb.org"), STR_INIT("FoundationDBCluster")}, /* FoundationDB */
	{STR_INIT("ydb.tech"), STR_INIT("Storage")}, /* YDB */
	{STR_INIT("ydb.tech"), STR_INIT("Database")},
	{STR_INIT("ydb.tech"), STR_INIT("StorageNodeSet")},
	{STR_INIT("ydb.tech"), STR_INIT("DatabaseNodeSet")},
	{STR_INIT("greenplum.pivotal.io"), STR_INIT("GreenplumCluster")}, /* Greenplum */
	{STR_INIT("vertica.com"), STR_INIT("VerticaDB")}, /* Vertica */
	{STR_INIT("nuodb.com"), STR_INIT("Nuodb*")}, /* NuoDB */
	{STR_INIT("risingwave.risingwavelabs.com"), STR_INIT("RisingWave")}, /* RisingWave */
	{STR_INIT("materialize.cloud"), STR_INIT("Materialize")},
	{STR_INIT("core.matrixorigin.io"), STR_INIT("MatrixOneCluster")}, /* MatrixOne */
	{STR_INIT("databendlabs.io"), STR_INIT("*Tenant")},
	{STR_INIT("databendlabs.io"), STR_INIT("Warehouse")},
	{STR_INIT("marklogic.progress.com"), STR_INIT("MarklogicCluster")}, /* MarkLogic */
	{STR_INIT("marklogic.progress.com"), STR_INIT("MarklogicGroup")},
	{STR_INIT("intersystems.com"), STR_INIT("IrisCluster")}, /* IRIS */
	{STR_INIT("iotdb.apache.org"), STR_INIT("*Node")}, /* IoTDB */
	{STR_INIT("fep.fujitsu.io"), STR_INIT("FEPCluster")}, /* Fujitsu Enterprise Postgres */
	{STR_INIT("coredb.io"), STR_INIT("CoreDB")}, /* Tembo */
	{STR_INIT("kubernetes.kurrent.io"), STR_INIT("KurrentDB")}, /* KurrentDB */
	{STR_INIT("cassandra.rook.io"), STR_INIT("Cluster")}, /* Rook */
	{STR_INIT("cockroachdb.rook.io"), STR_INIT("Cluster")},
	{STR_INIT("yugabytedb.rook.io"), STR_INIT("YBCluster")},
	{STR_INIT("tikv.org"), STR_INIT("TikvCluster")}, /* TiKV */
	{STR_INIT("mssql.microsoft.com"), STR_INIT("SqlServer")}, /* SQL Server */
	{STR_INIT("datainfra.io"), STR_INIT("Pinot")}, /* Pinot */
	{STR_INIT("psql.hoppscale.com"), STR_INIT("PostgreSQLCluster")},
	{STR_INIT("mysql.grtl.github.com"), STR_INIT("MySQLCluster")},
};
