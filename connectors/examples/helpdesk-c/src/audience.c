/* Tagging contacts, erasing them. */

#include "vendor.h"

enum { MEMBERS = 100 /* Most members that the vendor takes at once. */ };

/** The vendor gives one answer a row, in the rows' order. */
of_error *refuse(of_call *call, of_text answer, const of_keyed_row *rows, size_t count, of_outcome *outcome) {
    of_text results = of_json_at(answer, "/results"), result;
    size_t at = 0, place = 0;
    for (; of_json_next(results, &at, &result); place++) {
        if (place < count && of_is(of_json_at(result, "/status"), "\"error\"")) {
            of_text code = of_json_string(call, of_json_at(result, "/code"));
            of_text message = of_json_string(call, of_json_at(result, "/message"));
            of_reject(outcome, rows[place].index, of_own(call, &vendor, code), message.at == NULL ? code : message);
        }
    }
    if (place == count) return NULL;
    return of_fail(call, OF_TRANSIENT, "helpdesk.malformed_answer", "%zu rows were sent, and the answer is about %zu", count, place);
}

static of_audience_ref audience(of_call *call, of_text tag) {
    return (of_audience_ref){
        .id = of_json_string(call, of_json_at(tag, "/id")),
        .name = of_json_string(call, of_json_at(tag, "/name")),
        .size = of_json_integer(of_json_at(tag, "/size"), -1),
    };
}

of_error *list_audiences(of_call *call, const void *config, of_text page, of_audience_ref **found, size_t *count, of_text *next) {
    of_request request = get(call, config, "/v1/tags");
    if (page.at != NULL) of_query(&request, "after", page);
    of_text answer, tag;
    of_error *error = of_fetch(call, &vendor, &request, &answer);
    if (error != NULL) return error;
    of_text tags = of_json_at(answer, "/tags");
    size_t at = 0, many = 0;
    while (of_json_next(tags, &at, &tag)) many++;
    *found = of_alloc(call, many * sizeof **found);
    for (at = 0; *count < many && of_json_next(tags, &at, &tag);) (*found)[(*count)++] = audience(call, tag);
    *next = of_json_string(call, of_json_at(answer, "/next"));
    return NULL;
}

/** The vendor gives the tag of that name when there is one. */
of_error *create_audience(of_call *call, const void *config, of_text name, of_text options, of_audience_ref *made) {
    (void)options;
    of_buffer body = {.call = call};
    of_put(&body, OF("{\"name\":"));
    of_put_json(&body, name);
    of_put(&body, OF("}"));
    of_request request = post(call, config, OF("/v1/tags"), of_text_of(&body));
    request.idempotent = true;
    of_text tag;
    of_error *error = of_fetch(call, &vendor, &request, &tag);
    if (error == NULL) *made = audience(call, tag);
    return error;
}

/** Adding somebody who is there, or removing somebody who is not, is no failure, so a try can be repeated. */
static of_error *members(of_call *call, const void *config, const of_audience_change *change, of_text verb, of_outcome *outcome) {
    of_keyed_row *found;
    size_t count = of_emails(call, &vendor, change, &found, outcome);
    of_text id = of_encode(call, change->audience);
    for (size_t from = 0; from < count; from += MEMBERS) {
        size_t some = count - from < MEMBERS ? count - from : MEMBERS;
        of_buffer body = {.call = call};
        of_put(&body, of_format(call, "{\"%.*s\":[", OF_ARG(verb)));
        for (size_t at = 0; at < some; at++) {
            if (at > 0) of_put(&body, OF(","));
            of_put_json(&body, found[from + at].key);
        }
        of_put(&body, OF("]}"));
        of_request request = post(call, config, of_format(call, "/v1/tags/%.*s/members", OF_ARG(id)), of_text_of(&body));
        request.idempotent = true;
        of_text answer;
        of_error *error = of_fetch(call, &vendor, &request, &answer);
        if (error == NULL) error = refuse(call, answer, found + from, some, outcome);
        if (error != NULL) return error;
    }
    return NULL;
}

of_error *add_members(of_call *call, const void *config, const of_audience_change *change, of_outcome *outcome) {
    return members(call, config, change, OF("add"), outcome);
}

of_error *remove_members(of_call *call, const void *config, const of_audience_change *change, of_outcome *outcome) {
    return members(call, config, change, OF("remove"), outcome);
}

of_error *erase_person(of_call *call, const void *config, const of_identifier *ids, size_t count, of_text request_id, of_erasure *erasure) {
    of_text email = of_plain(ids, count, OF_EMAIL);
    if (email.at == NULL) {
        *erasure = (of_erasure){.status = OF_MANUAL, .text = OF("contacts are found by a plain email only")};
        return NULL;
    }
    of_buffer body = {.call = call}, evidence = {.call = call};
    of_put(&body, OF("{\"email\":"));
    of_put_json(&body, email);
    of_put(&body, OF("}"));
    of_request request = post(call, config, OF("/v1/contacts/erase"), of_text_of(&body));
    of_text answer;
    of_error *error = of_fetch(call, &vendor, &request, &answer);
    if (error != NULL && error->http_status == 404) {
        *erasure = (of_erasure){.status = OF_NOT_FOUND};
        return NULL;
    }
    if (error != NULL) return error;
    int64_t erased = of_json_integer(of_json_at(answer, "/erased"), 0);
    of_put(&evidence, of_format(call, "{\"erased\":%lld,\"request_id\":", (long long)erased));
    of_put_json(&evidence, request_id);
    of_put(&evidence, OF("}"));
    *erasure = (of_erasure){.status = OF_DONE, .records = (uint64_t)erased, .evidence = of_text_of(&evidence)};
    return NULL;
}
