/*
 * Gives up, for the rest of the process, what a server that runs never needs: so that a fault in it is of less use.
 * Linux alone, of its own accord: no privilege is needed, and nothing outside has to be set up.
 */
#ifndef SERVER_CONFINE_H
#define SERVER_CONFINE_H

#include "base/error.h"

/*
 * No core file, and no other process reads the memory (prctl(2), PR_SET_DUMPABLE), unless it is the administrator's:
 * for before a key is read. ERR_IO.
 */
int confine_memory(struct error *err);

/*
 * From now on the system refuses, with EPERM (seccomp(2)): to run a program, to make a process, to look into another
 * one; to open a socket, to connect, to listen; to open a file for writing, to make, rename or remove one; to map new
 * code; and what only an administrator does. Threads that begin later are bound by it as well: for when there is one.
 * What was opened before stays open. ERR_IO when the kernel has no such thing, or forbids it; ERR_INVALID in a build
 * for tests (UNCONFINED), whose sanitizer needs what is refused here.
 */
int confine_calls(struct error *err);

#endif
