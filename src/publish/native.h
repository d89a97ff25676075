/*
 * Rules as ValidatingAdmissionPolicy objects (admissionregistration.k8s.io/v1, Kubernetes 1.30), which the API server
 * judges itself, in CEL. They say what the rules say, as far as CEL can; docs/native.md lists the differences.
 */
#ifndef PUBLISH_NATIVE_H
#define PUBLISH_NATIVE_H

#include "base/buf.h"
#include "policy/config/config.h"

/* Is the rule in force, and one that CEL can express? */
bool native_has(const struct config *config, enum rule_id id);

/* Appends one object as JSON. Failures stay in `out`. */
void native_write_policy(struct buf *out, const struct config *config, enum rule_id id);
void native_write_binding(struct buf *out, const struct config *config, enum rule_id id);

/* Appends comment lines of YAML: what is not expressed, and why. */
void native_write_notes(struct buf *out, const struct config *config);

#endif
