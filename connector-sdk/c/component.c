/*
 * A connector as a component: the hub behind the contract's imports, and the exports over `connector`. Compiled by
 * `onefold connector build` only, which makes `connector.h` from the contract and defines OF_SOURCE, OF_DESTINATION or
 * both. What is returned is copied out of the call's memory, because the bindings free it piece by piece; what came in
 * is freed here, when nothing refers to it any more.
 */

#include "connector.h"
#include "onefold.h"

#include <stdlib.h>
#include <string.h>

extern const char onefold_manifest[], onefold_config_schema[];

static void *copy(const void *from, size_t bytes) {
    if (bytes == 0) return NULL;
    void *at = malloc(bytes);
    if (at == NULL) abort();
    return memcpy(at, from, bytes);
}

static connector_string_t give(of_text text) { return (connector_string_t){copy(text.at, text.len), text.len}; }

static connector_list_u8_t give_bytes(of_text text) { return (connector_list_u8_t){copy(text.at, text.len), text.len}; }

static connector_string_t lend(of_text text) { return (connector_string_t){(uint8_t *)text.at, text.len}; }

static of_text taken(connector_string_t text) { return (of_text){text.len == 0 ? "" : (const char *)text.ptr, text.len}; }

static of_text taken_bytes(connector_list_u8_t bytes) { return (of_text){bytes.len == 0 ? "" : (const char *)bytes.ptr, bytes.len}; }

static of_text maybe(const connector_string_t *text) { return text == NULL ? OF_NONE : taken(*text); }

static connector_option_string_t give_maybe(of_text text) {
    return (connector_option_string_t){text.at != NULL, text.at == NULL ? (connector_string_t){0} : give(text)};
}

/* ---- The hub behind the imports ---- */

static of_http send_request(of_hub *hub, of_call *call, const of_request *request, of_response *response, of_text *said) {
    (void)hub;
    onefold_connector_http_header_t headers[16];
    for (size_t at = 0; at < request->header_count; at++) {
        of_text value = request->headers[at].value;
        headers[at].name = lend(request->headers[at].name);
        headers[at].value = (connector_list_u8_t){(uint8_t *)value.at, value.len};
    }
    onefold_connector_http_request_t asked = {
        .method = lend(request->method),
        .url = lend(request->url),
        .headers = {headers, request->header_count},
        .body = {request->body.at != NULL, {(uint8_t *)request->body.at, request->body.len}},
        .auth = {request->credential.at != NULL, lend(request->credential)},
        .bucket = {request->bucket.at != NULL, lend(request->bucket)},
        .timeout_ms = {request->timeout_ms != 0, request->timeout_ms},
        .idempotent = request->idempotent,
    };
    onefold_connector_http_response_t answer;
    onefold_connector_http_http_error_t error;
    if (!onefold_connector_http_send(&asked, &answer, &error)) {
        static const of_http tags[] = {OF_DENIED, OF_DNS, OF_CONNECT, OF_TLS, OF_TIMEOUT, OF_TOO_LARGE, OF_STOPPED, OF_BROKEN};
        switch (error.tag) {
        case ONEFOLD_CONNECTOR_HTTP_HTTP_ERROR_TIMEOUT: *said = OF("no answer in time"); break;
        case ONEFOLD_CONNECTOR_HTTP_HTTP_ERROR_CANCELLED: break;
        case ONEFOLD_CONNECTOR_HTTP_HTTP_ERROR_RESPONSE_TOO_LARGE:
            *said = of_format(call, "the answer is larger than %llu bytes", (unsigned long long)error.val.response_too_large);
            break;
        default: *said = of_format(call, "%.*s", OF_ARG(taken(error.val.other)));
        }
        of_http tag = tags[error.tag];
        onefold_connector_http_http_error_free(&error);
        return tag;
    }
    response->status = answer.status;
    response->header_count = answer.headers.len;
    response->headers = of_alloc(call, answer.headers.len * sizeof(of_header));
    for (size_t at = 0; at < answer.headers.len; at++) {
        response->headers[at].name = of_format(call, "%.*s", OF_ARG(taken(answer.headers.ptr[at].name)));
        response->headers[at].value = of_format(call, "%.*s", OF_ARG(taken_bytes(answer.headers.ptr[at].value)));
    }
    of_text body = taken_bytes(answer.body);
    char *kept = of_alloc(call, body.len + 1);
    if (body.len > 0) memcpy(kept, body.at, body.len);
    response->body = (of_text){kept, body.len};
    onefold_connector_http_response_free(&answer);
    return OF_ANSWERED;
}

static void write_log(of_hub *hub, of_level level, of_text message, of_text fields) {
    (void)hub;
    connector_string_t text = lend(message), more = lend(fields);
    onefold_connector_log_write((onefold_connector_log_level_t)level, &text, fields.at == NULL ? NULL : &more);
}

static bool is_cancelled(of_hub *hub) {
    (void)hub;
    return onefold_connector_run_cancelled();
}

static uint64_t remaining(of_hub *hub) {
    (void)hub;
    return onefold_connector_run_remaining_ms();
}

static uint64_t now(of_hub *hub) {
    (void)hub;
    return onefold_connector_run_now_ms();
}

static void count_metric(of_hub *hub, of_text metric, uint64_t by) {
    (void)hub;
    connector_string_t name = lend(metric);
    onefold_connector_run_count(&name, by);
}

static of_text sign(of_hub *hub, of_call *call, of_text credential, of_mac_algorithm algorithm, of_text data) {
    (void)hub;
    connector_string_t name = lend(credential), error;
    connector_list_u8_t bytes = {(uint8_t *)data.at, data.len}, mac;
    if (!onefold_connector_crypto_mac(&name, (onefold_connector_crypto_mac_alg_t)algorithm, &bytes, &mac, &error)) {
        connector_string_free(&error);
        return OF_NONE;
    }
    char *kept = of_alloc(call, mac.len);
    memcpy(kept, mac.ptr, mac.len);
    of_text text = {kept, mac.len};
    connector_list_u8_free(&mac);
    return text;
}

static of_hub imports = {send_request, write_log, is_cancelled, remaining, now, count_metric, sign};

/* ---- Answers ---- */

static onefold_connector_types_detail_t detail(const of_error *error) {
    return (onefold_connector_types_detail_t){
        .code = give(error->code),
        .message = give(error->message),
        .http_status = {error->http_status != 0, (uint16_t)error->http_status},
        .data = {error->data.at != NULL, give(error->data)},
    };
}

/** Ends the call; gives whether it worked. */
static bool end(of_call *call, const of_error *error, onefold_connector_types_error_t *failure) {
    if (error != NULL) {
        /* The classes stand in the contract's order. */
        failure->tag = (uint8_t)error->class;
        if (error->class == OF_RATE_LIMITED) {
            failure->val.rate_limited = (onefold_connector_types_rate_limit_t){
                .detail = detail(error),
                .retry_after_ms = {error->retry_after_ms >= 0, (uint64_t)error->retry_after_ms},
                .bucket = give_maybe(error->bucket),
            };
        } else if (error->class != OF_CANCELLED) {
            failure->val.other = detail(error);
        }
    }
    of_end(call);
    return error == NULL;
}

/** Begins a call: the configuration, and an error when it is wrong. */
static of_error *begin(of_call *call, connector_string_t *config, void **into) {
    *call = (of_call){.hub = &imports};
    return of_configure(call, of_format(call, "%.*s", OF_ARG(taken(*config))), into);
}

static connector_list_string_t texts(of_call *call, of_text array) {
    connector_list_string_t list = {NULL, 0};
    size_t at = 0, count = 0;
    of_text one;
    while (of_json_next(array, &at, &one)) count++;
    list.ptr = count == 0 ? NULL : calloc(count, sizeof *list.ptr);
    for (at = 0; list.len < count && of_json_next(array, &at, &one);) list.ptr[list.len++] = give(of_json_string(call, one));
    return list;
}

static size_t elements(of_text array) {
    size_t at = 0, count = 0;
    for (of_text one; of_json_next(array, &at, &one);) count++;
    return count;
}

/* ---- meta ---- */

void exports_onefold_connector_meta_manifest(exports_onefold_connector_meta_json_t *ret) { *ret = give(of_from(onefold_manifest)); }

void exports_onefold_connector_meta_config_schema(exports_onefold_connector_meta_json_t *ret) { *ret = give(of_from(onefold_config_schema)); }

bool exports_onefold_connector_meta_check(exports_onefold_connector_meta_json_t *config, exports_onefold_connector_meta_check_report_t *ret,
                                          exports_onefold_connector_meta_error_t *err) {
    of_call call;
    void *settings;
    of_check_report report = {0};
    of_error *error = begin(&call, config, &settings);
    if (error == NULL) error = connector.check(&call, settings, &report);
    if (error == NULL) {
        size_t count = report.warning_count;
        *ret = (exports_onefold_connector_meta_check_report_t){give_maybe(report.account), {count == 0 ? NULL : calloc(count, sizeof(connector_string_t)), count}};
        for (size_t at = 0; at < count; at++) ret->warnings.ptr[at] = give(report.warnings[at]);
    }
    bool worked = end(&call, error, err);
    connector_string_free(config);
    return worked;
}

#ifdef OF_SOURCE

bool exports_onefold_connector_source_discover(exports_onefold_connector_source_json_t *config, exports_onefold_connector_source_list_stream_info_t *ret,
                                               exports_onefold_connector_source_error_t *err) {
    of_call call;
    void *settings;
    of_error *error = begin(&call, config, &settings);
    of_text streams = of_json_at(of_from(onefold_manifest), "/streams"), one;
    ret->len = 0;
    ret->ptr = calloc(elements(streams) + 1, sizeof *ret->ptr);
    for (size_t at = 0; error == NULL && of_json_next(streams, &at, &one);) {
        of_text classes = of_json_at(one, "/data_classes");
        ret->ptr[ret->len++] = (exports_onefold_connector_source_stream_info_t){
            .name = give(of_json_string(&call, of_json_at(one, "/name"))),
            .title = give(of_json_string(&call, of_json_at(one, "/title"))),
            .schema = give(of_json_at(one, "/schema")),
            .primary_key = texts(&call, of_json_at(one, "/primary_key")),
            .cursor_fields = texts(&call, of_json_at(one, "/cursor_fields")),
            .data_classes = give(classes.at == NULL ? OF("{}") : classes),
            .supports_deletes = of_json_is(of_json_at(one, "/supports_deletes"), "true"),
        };
    }
    if (error != NULL) free(ret->ptr);
    bool worked = end(&call, error, err);
    connector_string_free(config);
    return worked;
}

bool exports_onefold_connector_source_split(exports_onefold_connector_source_json_t *config, connector_string_t *stream, connector_string_t *maybe_since,
                                            connector_list_string_t *ret, exports_onefold_connector_source_error_t *err) {
    of_call call;
    void *settings;
    of_error *error = begin(&call, config, &settings);
    if (error == NULL) *ret = (connector_list_string_t){calloc(1, sizeof(connector_string_t)), 1};
    bool worked = end(&call, error, err);
    connector_string_free(config);
    connector_string_free(stream);
    if (maybe_since != NULL) connector_string_free(maybe_since);
    return worked;
}

static exports_onefold_connector_source_chunk_t give_chunk(of_chunk chunk) {
    return (exports_onefold_connector_source_chunk_t){give(OF("json-lines")), chunk.count, give_bytes(chunk.data)};
}

bool exports_onefold_connector_source_read(exports_onefold_connector_source_read_request_t *req, exports_onefold_connector_source_batch_t *ret,
                                           exports_onefold_connector_source_error_t *err) {
    of_call call;
    void *settings;
    of_batch batch = {0};
    of_error *error = begin(&call, &req->config, &settings);
    of_read_request request = {
        .stream = taken(req->stream),
        .part = taken(req->part),
        .cursor = req->cursor.is_some ? taken_bytes(req->cursor.val) : OF_NONE,
        .since = req->since.is_some ? taken(req->since.val) : OF_NONE,
        .until = req->until.is_some ? taken(req->until.val) : OF_NONE,
        .max_records = req->max_records,
        .max_bytes = req->max_bytes,
    };
    if (error == NULL) error = connector.read(&call, settings, &request, &batch);
    if (error == NULL) {
        *ret = (exports_onefold_connector_source_batch_t){.upserts = give_chunk(batch.upserts), .cursor = give_bytes(batch.cursor), .done = batch.done};
        ret->deletes.is_some = batch.deletes.count > 0;
        if (ret->deletes.is_some) ret->deletes.val = give_chunk(batch.deletes);
    }
    bool worked = end(&call, error, err);
    exports_onefold_connector_source_read_request_free(req);
    return worked;
}

#endif
#ifdef OF_DESTINATION

static exports_onefold_connector_destination_list_mode_t modes(of_text array) {
    static const char *const words[] = {"\"upsert\"", "\"update-only\"", "\"create-only\"", "\"delete\""};
    exports_onefold_connector_destination_list_mode_t list = {calloc(elements(array) + 1, 1), 0};
    size_t at = 0;
    for (of_text one; of_json_next(array, &at, &one);) {
        for (uint8_t mode = 0; mode < 4; mode++) {
            if (of_is(one, words[mode])) list.ptr[list.len++] = mode;
        }
    }
    return list;
}

bool exports_onefold_connector_destination_targets(exports_onefold_connector_destination_json_t *config,
                                                   exports_onefold_connector_destination_list_target_t *ret,
                                                   exports_onefold_connector_destination_error_t *err) {
    of_call call;
    void *settings;
    of_error *error = begin(&call, config, &settings);
    of_text targets = of_json_at(of_from(onefold_manifest), "/targets"), one;
    ret->len = 0;
    ret->ptr = calloc(elements(targets) + 1, sizeof *ret->ptr);
    for (size_t at = 0; error == NULL && of_json_next(targets, &at, &one);) {
        ret->ptr[ret->len++] = (exports_onefold_connector_destination_target_t){
            .name = give(of_json_string(&call, of_json_at(one, "/name"))),
            .title = give(of_json_string(&call, of_json_at(one, "/title"))),
            .schema = give(of_json_at(one, "/schema")),
            .modes = modes(of_json_at(one, "/modes")),
            .keys = texts(&call, of_json_at(one, "/keys")),
            .max_batch = (uint32_t)of_json_integer(of_json_at(one, "/max_batch"), 100),
        };
    }
    if (error != NULL) free(ret->ptr);
    bool worked = end(&call, error, err);
    connector_string_free(config);
    return worked;
}

/* The outcomes of rows and of members have the same shape. */
_Static_assert(sizeof(exports_onefold_connector_audience_outcome_t) == sizeof(exports_onefold_connector_destination_outcome_t), "outcomes differ");

static exports_onefold_connector_destination_outcome_t give_outcome(const of_outcome *outcome) {
    exports_onefold_connector_destination_outcome_t given = {
        .failures = {outcome->count == 0 ? NULL : calloc(outcome->count, sizeof *given.failures.ptr), outcome->count},
        .job = give_maybe(outcome->job),
    };
    for (size_t at = 0; at < outcome->count; at++) {
        const of_failure *one = &outcome->failures[at];
        given.failures.ptr[at] = (exports_onefold_connector_destination_failure_t){one->index, one->retryable, give(one->code), give(one->message)};
    }
    return given;
}

bool exports_onefold_connector_destination_write(exports_onefold_connector_destination_write_request_t *req,
                                                 exports_onefold_connector_destination_outcome_t *ret,
                                                 exports_onefold_connector_destination_error_t *err) {
    of_call call;
    void *settings;
    of_error *error = begin(&call, &req->config, &settings);
    of_outcome outcome = {.call = &call};
    of_write_request request = {
        .target = taken(req->target),
        .mode = (of_mode)req->mode,
        .rows = {req->rows.count, taken_bytes(req->rows.data)},
        .idempotency_key = taken(req->idempotency_key),
        .verify = req->verify,
    };
    if (error == NULL && !of_is(taken(req->rows.encoding), "json-lines")) {
        error = of_fail(&call, OF_PERMANENT, "sdk.encoding", "rows came in the encoding `%.*s`, which this connector does not know",
                        OF_ARG(taken(req->rows.encoding)));
    }
    if (error == NULL && connector.write == NULL) {
        error = of_fail(&call, OF_PERMANENT, "connector.cannot", "this connector cannot write rows: it takes audiences only");
    }
    if (error == NULL) error = connector.write(&call, settings, &request, &outcome);
    if (error == NULL) *ret = give_outcome(&outcome);
    bool worked = end(&call, error, err);
    exports_onefold_connector_destination_write_request_free(req);
    return worked;
}

/* A connector without jobs has finished all of them. */
bool exports_onefold_connector_destination_poll(exports_onefold_connector_destination_json_t *config, connector_string_t *job,
                                                exports_onefold_connector_destination_option_outcome_t *ret,
                                                exports_onefold_connector_destination_error_t *err) {
    (void)err;
    memset(ret, 0, sizeof *ret);
    ret->is_some = true;
    connector_string_free(config);
    connector_string_free(job);
    return true;
}

static exports_onefold_connector_audience_audience_ref_t give_ref(const of_audience_ref *one) {
    return (exports_onefold_connector_audience_audience_ref_t){give(one->id), give(one->name), {one->size >= 0, (uint64_t)one->size}};
}

bool exports_onefold_connector_audience_list_audiences(exports_onefold_connector_audience_json_t *config, connector_string_t *maybe_page,
                                                       exports_onefold_connector_audience_tuple2_list_audience_ref_option_string_t *ret,
                                                       exports_onefold_connector_audience_error_t *err) {
    of_call call;
    void *settings;
    of_audience_ref *found = NULL;
    size_t count = 0;
    of_text next = OF_NONE;
    of_error *error = begin(&call, config, &settings);
    if (error == NULL) error = connector.list_audiences(&call, settings, maybe(maybe_page), &found, &count, &next);
    if (error == NULL) {
        ret->f0.len = count;
        ret->f0.ptr = count == 0 ? NULL : calloc(count, sizeof *ret->f0.ptr);
        for (size_t at = 0; at < count; at++) ret->f0.ptr[at] = give_ref(&found[at]);
        ret->f1 = give_maybe(next);
    }
    bool worked = end(&call, error, err);
    connector_string_free(config);
    if (maybe_page != NULL) connector_string_free(maybe_page);
    return worked;
}

bool exports_onefold_connector_audience_create(exports_onefold_connector_audience_json_t *config, connector_string_t *name,
                                               exports_onefold_connector_audience_json_t *maybe_options,
                                               exports_onefold_connector_audience_audience_ref_t *ret,
                                               exports_onefold_connector_audience_error_t *err) {
    of_call call;
    void *settings;
    of_audience_ref made = {.size = -1};
    of_error *error = begin(&call, config, &settings);
    if (error == NULL) error = connector.create(&call, settings, taken(*name), maybe(maybe_options), &made);
    if (error == NULL) *ret = give_ref(&made);
    bool worked = end(&call, error, err);
    connector_string_free(config);
    connector_string_free(name);
    if (maybe_options != NULL) connector_string_free(maybe_options);
    return worked;
}

static of_identifier *identifiers(of_call *call, const onefold_connector_types_identifier_t *ids, size_t count) {
    of_identifier *plain = of_alloc(call, count * sizeof *plain);
    for (size_t at = 0; at < count; at++) {
        bool hashed = ids[at].form == ONEFOLD_CONNECTOR_TYPES_ID_FORM_SHA256_HEX;
        plain[at] = (of_identifier){(of_id_kind)ids[at].kind, hashed, taken(ids[at].value)};
    }
    return plain;
}

typedef of_error *(*members_call)(of_call *, const void *, const of_audience_change *, of_outcome *);

static bool change_members(exports_onefold_connector_audience_change_t *change, members_call work, exports_onefold_connector_audience_outcome_t *ret,
                           exports_onefold_connector_audience_error_t *err) {
    of_call call;
    void *settings;
    of_error *error = begin(&call, &change->config, &settings);
    of_outcome outcome = {.call = &call};
    of_audience_change plain = {
        .audience = taken(change->audience),
        .members = of_alloc(&call, change->members.len * sizeof(of_member)),
        .count = change->members.len,
        .idempotency_key = taken(change->idempotency_key),
        .verify = change->verify,
    };
    for (size_t at = 0; at < plain.count; at++) {
        exports_onefold_connector_audience_member_t *one = &change->members.ptr[at];
        of_text traits = one->traits.is_some ? taken(one->traits.val) : OF_NONE;
        plain.members[at] = (of_member){identifiers(&call, one->ids.ptr, one->ids.len), one->ids.len, traits};
    }
    if (error == NULL) error = work(&call, settings, &plain, &outcome);
    if (error == NULL) {
        exports_onefold_connector_destination_outcome_t given = give_outcome(&outcome);
        memcpy(ret, &given, sizeof *ret);
    }
    bool worked = end(&call, error, err);
    exports_onefold_connector_audience_change_free(change);
    return worked;
}

bool exports_onefold_connector_audience_add(exports_onefold_connector_audience_change_t *change, exports_onefold_connector_audience_outcome_t *ret,
                                            exports_onefold_connector_audience_error_t *err) {
    return change_members(change, connector.add, ret, err);
}

bool exports_onefold_connector_audience_remove(exports_onefold_connector_audience_change_t *change, exports_onefold_connector_audience_outcome_t *ret,
                                               exports_onefold_connector_audience_error_t *err) {
    return change_members(change, connector.remove, ret, err);
}

bool exports_onefold_connector_audience_poll(exports_onefold_connector_audience_json_t *config, connector_string_t *job,
                                             exports_onefold_connector_audience_option_outcome_t *ret,
                                             exports_onefold_connector_audience_error_t *err) {
    (void)err;
    memset(ret, 0, sizeof *ret);
    ret->is_some = true;
    connector_string_free(config);
    connector_string_free(job);
    return true;
}

bool exports_onefold_connector_privacy_erase_subject(exports_onefold_connector_privacy_json_t *config,
                                                     exports_onefold_connector_privacy_list_identifier_t *ids, connector_string_t *request_id,
                                                     exports_onefold_connector_privacy_tuple2_status_option_json_t *ret,
                                                     exports_onefold_connector_privacy_error_t *err) {
    of_call call;
    void *settings;
    of_erasure erasure = {.status = OF_NOT_FOUND};
    of_error *error = begin(&call, config, &settings);
    if (error == NULL) error = connector.erase_subject(&call, settings, identifiers(&call, ids->ptr, ids->len), ids->len, taken(*request_id), &erasure);
    if (error == NULL) {
        memset(ret, 0, sizeof *ret);
        /* The statuses stand in the contract's order. */
        ret->f0.tag = (uint8_t)erasure.status;
        if (erasure.status == OF_DONE) ret->f0.val.done = erasure.records;
        if (erasure.status == OF_PENDING || erasure.status == OF_MANUAL) ret->f0.val.manual = give(erasure.text);
        ret->f1.is_some = erasure.evidence.at != NULL;
        if (ret->f1.is_some) ret->f1.val = give(erasure.evidence);
    }
    bool worked = end(&call, error, err);
    connector_string_free(config);
    exports_onefold_connector_privacy_list_identifier_free(ids);
    connector_string_free(request_id);
    return worked;
}

bool exports_onefold_connector_privacy_poll_erasure(exports_onefold_connector_privacy_json_t *config, connector_string_t *job,
                                                    exports_onefold_connector_privacy_tuple2_status_option_json_t *ret,
                                                    exports_onefold_connector_privacy_error_t *err) {
    (void)err;
    memset(ret, 0, sizeof *ret);
    ret->f0.tag = EXPORTS_ONEFOLD_CONNECTOR_PRIVACY_STATUS_NOT_FOUND;
    connector_string_free(config);
    connector_string_free(job);
    return true;
}

#endif
