/* The scripted hub. */

#include "onefold_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static of_http send_scripted(of_hub *hub, of_call *call, const of_request *request, of_response *response, of_text *said) {
    (void)said;
    of_test_hub *self = (of_test_hub *)hub;
    of_text asked = of_format(call, "%.*s %.*s", OF_ARG(request->method), OF_ARG(request->url));
    if (self->used == self->lines) {
        fprintf(stderr, "the script is over, but `%s` came\n", asked.at);
        exit(1);
    }
    const of_line *line = &self->script[self->used++];
    if (strncmp(asked.at, line->start, strlen(line->start)) != 0) {
        fprintf(stderr, "expected `%s`, got `%s`\n", line->start, asked.at);
        exit(1);
    }
    if (self->sent_count < 64) self->sent[self->sent_count++] = *request;
    *response = (of_response){.status = line->status, .body = of_from(line->body)};
    return OF_ANSWERED;
}

static void keep_log(of_hub *hub, of_level level, of_text message, of_text fields) {
    (void)level, (void)fields;
    of_test_hub *self = (of_test_hub *)hub;
    snprintf(self->logged, sizeof self->logged, "%.*s", OF_ARG(message));
}

static bool cancelled(of_hub *hub) { return ((of_test_hub *)hub)->is_cancelled; }

static uint64_t remaining_ms(of_hub *hub) {
    (void)hub;
    return 60000;
}

static uint64_t now_ms(of_hub *hub) { return ((of_test_hub *)hub)->clock_ms; }

static void count(of_hub *hub, of_text metric, uint64_t by) { (void)hub, (void)metric, (void)by; }

static of_text no_key(of_hub *hub, of_call *call, of_text credential, of_mac_algorithm algorithm, of_text data) {
    (void)hub, (void)call, (void)credential, (void)algorithm, (void)data;
    return OF_NONE;
}

void of_test_script(of_test_hub *hub, const of_line *script, size_t lines) {
    memset(hub, 0, sizeof *hub);
    hub->hub = (of_hub){send_scripted, keep_log, cancelled, remaining_ms, now_ms, count, no_key};
    hub->call.hub = &hub->hub;
    hub->script = script;
    hub->lines = lines;
    hub->clock_ms = 1700000000000;
}

void of_test_finish(of_test_hub *hub) {
    of_test_check(hub->used == hub->lines, "every line of the script was asked for", "", 0);
    of_end(&hub->call);
}

of_read_request of_test_whole(const char *stream) {
    return (of_read_request){.stream = of_from(stream), .part = OF(""), .max_records = 1000, .max_bytes = 1 << 24};
}

void of_test_check(bool holds, const char *what, const char *file, int line) {
    if (holds) return;
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
    exit(1);
}
