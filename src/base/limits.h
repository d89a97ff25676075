/* Every limit of connhook, in one table. Bytes unless the name says otherwise. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB (1024UL)
#define MIB (1024UL * 1024UL)

/* memory */
#define ARENA_BLOCK_SIZE (16 * KIB)

/* input */
#define LIMIT_BODY (7 * MIB)          /* an AdmissionReview: two objects of 3 MiB and the envelope */
#define LIMIT_JSON_DEPTH 256          /* levels of nesting; Kubernetes' own objects stay below 60 */
#define LIMIT_JSON_NUMBER 63          /* characters of one number; what cJSON reads */
#define LIMIT_EQUAL_MEMBERS 1024      /* members of two objects that are compared in a different order */
#define LIMIT_CONFIG (1 * MIB)        /* a configuration file: what a ConfigMap can hold */
#define LIMIT_MANIFEST (64 * MIB)     /* one input of `review`: a rendered platform repository */
#define LIMIT_YAML_NODES 4000000UL    /* nodes of one YAML document, aliases expanded */
#define LIMIT_YAML_DEPTH 256          /* levels of nesting in YAML */
#define LIMIT_ANNOTATION (256 * KIB)  /* all annotations of one object, as Kubernetes counts them */

/* output */
#define LIMIT_PATCH (16 * MIB)        /* a JSON Patch before base64 */
#define LIMIT_RESPONSE (32 * MIB)     /* an answer of the server */
#define LIMIT_WARNING 256             /* one warning */
#define LIMIT_WARNINGS 4096           /* all warnings of one response */
#define LIMIT_MESSAGE (8 * KIB)       /* the message of a denial */
#define LIMIT_CAUSES 64               /* causes in one denial; the message says how many more there are */
#define LIMIT_AUDIT_VALUE 1024        /* the value of one audit annotation */

/* words */
#define LIMIT_SUGGEST_LENGTH 64       /* names longer than this get no "did you mean" */
#define LIMIT_QUOTE 64                /* how much of a bad value an error repeats */

#endif
