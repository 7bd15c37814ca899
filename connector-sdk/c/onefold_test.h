/*
 * A hub for tests: answers by a script, remembers what was asked, keeps a fixed clock. Runs natively, without
 * WebAssembly.
 */
#ifndef ONEFOLD_TEST_H
#define ONEFOLD_TEST_H

#include "onefold.h"

/** A request has to begin so, such as `GET https://…`; then it gets this answer. */
typedef struct {
    const char *start;
    int status;
    const char *body;
} of_line;

typedef struct {
    of_hub hub;
    of_call call; /**< What the connector's functions get. */
    const of_line *script;
    size_t lines, used;
    of_request sent[64];
    size_t sent_count;
    bool is_cancelled;
    uint64_t clock_ms;
    char logged[1024]; /**< The last message. */
} of_test_hub;

/** Makes a hub ready in place; `script` has to live as long. */
void of_test_script(of_test_hub *hub, const of_line *script, size_t lines);
/** Fails the test when a line of the script was never asked for, and frees what the calls left. */
void of_test_finish(of_test_hub *hub);
/** A request for the whole of a stream. */
of_read_request of_test_whole(const char *stream);
/** Stops the program when `holds` is false, with the place. */
void of_test_check(bool holds, const char *what, const char *file, int line);
#define OF_CHECK(condition) of_test_check((condition), #condition, __FILE__, __LINE__)

#endif
