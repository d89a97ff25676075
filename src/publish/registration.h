/*
 * The MutatingWebhookConfiguration and ValidatingWebhookConfiguration (admissionregistration.k8s.io/v1) that fit a
 * configuration: what is registered and what is checked come from one place.
 */
#ifndef PUBLISH_REGISTRATION_H
#define PUBLISH_REGISTRATION_H

#include "base/buf.h"
#include "policy/config/config.h"

/* The first version of Kubernetes whose API server has matchConditions as a stable field (1.30). */
#define REGISTRATION_MATCH_CONDITIONS 30

/* Where the API server finds connhook. */
struct registration {
	struct str namespace, service; /* of the Service; absent with `url` */
	int port;
	struct str url;                /* base, without a slash at its end; absent with a Service */
	struct str ca_bundle;          /* PEM; absent when a CA injector fills it in */
	struct str inject_ca_from;     /* cert-manager's Certificate, NAMESPACE/NAME; absent without */
	int minor;                     /* of the API server's version 1.MINOR: newer ones get matchConditions */
};

/* Appends one object as JSON. Failures stay in `out`. */
void registration_write_mutating(struct buf *out, const struct config *config, const struct registration *r);
void registration_write_validating(struct buf *out, const struct config *config, const struct registration *r);

/* The first group of the rules in force that is a glob, which no API server can be told; absent when there is none. */
struct str registration_glob_group(const struct config *config);

#endif
