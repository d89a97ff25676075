/* Every limit of connhook, in one table. Bytes unless the name says otherwise. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB (1024UL)
#define MIB (1024UL * 1024UL)

/* memory */
#define ARENA_BLOCK_FIRST (1 * KIB)   /* many arenas hold a few words; the next blocks are twice as large each */
#define ARENA_BLOCK_SIZE (16 * KIB)   /* up to this */

/* input */
#define LIMIT_BODY (7 * MIB)          /* an AdmissionReview: two objects of 3 MiB and the envelope */
#define LIMIT_JSON_DEPTH 256          /* levels of nesting; Kubernetes' own objects stay below 60 */
#define LIMIT_JSON_NUMBER 63          /* characters of one number; what cJSON reads */
#define LIMIT_EQUAL_MEMBERS 64        /* members of two objects that are compared in a different order */
#define LIMIT_CONFIG (1 * MIB)        /* a configuration file: what a ConfigMap can hold */
#define LIMIT_MANIFEST (256 * MIB)    /* one input of `review`: a rendered platform repository */
#define LIMIT_DIRECTORY_DEPTH 32      /* directories below the one given to `review` */
#define LIMIT_YAML_NODES 4000000UL    /* nodes of one YAML document, aliases expanded */
#define LIMIT_YAML_ALIASED 200000UL    /* nodes that all aliases of a run stand for together */
#define LIMIT_YAML_REPEATS 64         /* keys of one document that stand twice, and are told */
#define LIMIT_YAML_DEPTH 256          /* levels of nesting in YAML */
#define LIMIT_ANNOTATION (256 * KIB)  /* all annotations of one object, as Kubernetes counts them */
#define LIMIT_LIST 64                 /* elements of a list in an annotation */
#define LIMIT_SHELL_DEPTH 8           /* scripts in scripts, and commands in commands, that are read */
#define LIMIT_GLOB 64                 /* one glob in it: no container's name is longer */
#define LIMIT_GLOBS 8                 /* globs in it, beside names */

/* one decision */
#define LIMIT_WORK 200000000UL        /* units of work (base/budget.h) */
#define LIMIT_MEMORY (64 * MIB)       /* the tree of the review, the patch, what was found */
#define BUDGET_BYTES 64               /* bytes of memory or text that are a unit of work */
#define BUDGET_LOOK 10000             /* units between two looks at the deadline */

/* output */
#define LIMIT_PATCH (16 * MIB)        /* a JSON Patch before base64 */
#define LIMIT_RESPONSE (32 * MIB)     /* an answer of the server */
#define LIMIT_WARNING 256             /* one warning */
#define LIMIT_WARNINGS_TAIL 48        /* of these, for saying how many more there are */
#define LIMIT_HELP 160                /* what a platform says behind a rule's sentences: it fits into a warning */
#define LIMIT_VIOLATIONS 256          /* violations of one rule that are told; the others are counted */
#define LIMIT_WARNINGS 4096           /* all warnings of one response */
#define LIMIT_MESSAGE (8 * KIB)       /* the message of a denial */
#define LIMIT_CAUSES 64               /* causes in one denial; the message says how many more there are */
#define LIMIT_AUDIT_VALUE 1024        /* the value of one audit annotation */

/* words */
#define LIMIT_SUGGEST_LENGTH 64       /* names longer than this get no "did you mean" */
#define LIMIT_QUOTE 64                /* how much of a bad value an error repeats */
#define LIMIT_QUOTE_NAME 253          /* the same of a name or path: as long as names may be */

/* certificates */
#define LIMIT_PEM (1 * MIB)           /* a certificate or key file: what a Secret can hold */
#define LIMIT_CERTIFICATES 256        /* certificates in one file: more than a system's bundle of CAs has */
#define LIMIT_CERTIFICATE_NAMES 100   /* DNS names and addresses of a certificate that is made */
#define LIMIT_CERTIFICATE_DAYS 3650   /* days that a certificate that is made is valid */
#define LIMIT_CLIENT_NAMES 64         /* names of clients that are let in */
#define LIMIT_CLIENT_NAME 253         /* one of them: the longest DNS name */

/* server */
#define LIMIT_MEMORY_OPTION 4096          /* MiB that --body-memory and --decision-memory take at most */
#define LIMIT_THREADS 16                  /* threads that answer requests */
#define LIMIT_CONNECTIONS 1024            /* connections for each thread */
#define LIMIT_ADMIN_CONNECTIONS 128       /* connections of the admin listener */
#define LIMIT_ADMIN_BODY (16 * KIB)       /* a body that an admin request has no use for, and that is dropped */
#define LIMIT_BODIES (48 * MIB)           /* bodies of all requests, and answers to be taken; --body-memory */
#define LIMIT_REQUEST_HEAD (32 * KIB)     /* what libmicrohttpd may use for one connection: request line and headers */
#define LIMIT_BACKLOG 1024                /* connections that the kernel keeps until they are accepted */
#define LIMIT_RESERVED_FILES 64           /* file descriptors that are not connections */
#define LIMIT_LOG_LINE (4 * KIB)          /* one line of the log: written whole into a pipe */
#define LIMIT_LOG_VALUE 256               /* one value in it that a user can choose */
#define LIMIT_LOG_BURST 10                /* lines a second about connections, for each thread */
#define LIMIT_METRIC_KINDS 192            /* kinds that are counted by name */
#define LIMIT_METRIC_NAMES 64             /* rules, or reasons for a skip, that are counted by name */
#define LIMIT_METRIC_BINDINGS 256         /* bindings that are counted by name */
#define LIMIT_METRICS (6 * MIB)           /* the text of /metrics with every series there can be */

/* time */
#define REQUEST_SECONDS 10                /* for a request, and again for its answer; --request-timeout */
#define REQUEST_SECONDS_MAX 60
#define ANSWER_SECONDS 10                 /* a client waits for an answer that does not say, with ?timeout= */
#define ANSWER_SECONDS_MAX 30             /* the most that ?timeout= gives: the API server's own maximum */
#define ANSWER_MARGIN_MILLISECONDS 500    /* of these, for the way there and back; a quarter, when that is less */
#define BUSY_SECONDS 3                    /* with all threads at work for longer, /readyz fails */
#define IDLE_SECONDS 120                  /* a connection without a request; the API server closes after 90 */
#define LINGER_SECONDS 2                  /* a client has to read an answer that ends the connection */
#define DRAIN_SECONDS 5                   /* for requests in flight at the end */
#define DRAIN_DELAY_SECONDS 5             /* from SIGTERM until nothing new is accepted; --drain-delay */
#define DRAIN_DELAY_SECONDS_MAX 300
#define RELOAD_SECONDS 60                 /* between two looks at the files when nothing is noticed */
#define RELOAD_QUIET_MILLISECONDS 100     /* from a noticed change until the files are read */
#define HANDOVER_SECONDS 120              /* from a change of the configuration until all instances know of it */
#define HANDOVER_ACCEPT_SECONDS 360       /* from it until no instance injects by the previous one */
#define ACCEPT_MILLISECONDS 100           /* until the next try, when the system is out of descriptors */
#define SWEEP_MILLISECONDS 50             /* between two looks at all connections of a thread */
#define TICKET_SECONDS 3600               /* in which a TLS session may be resumed */
#define EXPIRY_WARNING_DAYS 30            /* before a certificate ends */

#endif
