/* Lists and their members, erasing people. */

#include "vendor.h"

static of_audience_ref audience(of_call *call, of_text list) {
    return (of_audience_ref){
        .id = of_json_string(call, of_json_at(list, "/id")),
        .name = of_json_string(call, of_json_at(list, "/name")),
        .size = -1,
    };
}

/** One page of lists; `next` is the next page, if there is one. */
of_error *list_audiences(of_call *call, const void *config, of_text page, of_audience_ref **found, size_t *count, of_text *next) {
    (void)page;
    (void)next;
    of_request request = get(call, config, "/lists");
    of_text answer, list;
    of_error *error = of_fetch(call, &vendor, &request, &answer);
    if (error != NULL) return error;
    of_text lists = of_json_at(answer, "/lists");
    size_t at = 0, many = 0;
    while (of_json_next(lists, &at, &list)) many++;
    *found = of_alloc(call, many * sizeof **found);
    for (at = 0; *count < many && of_json_next(lists, &at, &list);) (*found)[(*count)++] = audience(call, list);
    return NULL;
}

/** The list of that name, made only when there is none. */
of_error *create_audience(of_call *call, const void *config, of_text name, of_text options, of_audience_ref *made) {
    (void)options;
    of_buffer body = {.call = call};
    of_put(&body, OF("{\"name\":"));
    of_put_json(&body, name);
    of_put(&body, OF("}"));
    of_request request = post(call, config, OF("/lists"), of_text_of(&body));
    request.idempotent = true;
    of_text list;
    of_error *error = of_fetch(call, &vendor, &request, &list);
    if (error == NULL) *made = audience(call, list);
    return error;
}

/** Members who are in the list already, or no longer in it, count as done. */
static of_error *members(of_call *call, const void *config, const of_audience_change *change, of_text verb, of_outcome *outcome) {
    of_keyed_row *found;
    size_t count = of_emails(call, &vendor, change, &found, outcome);
    of_buffer body = {.call = call};
    of_put(&body, OF("{\"emails\":["));
    for (size_t at = 0; at < count; at++) {
        if (at > 0) of_put(&body, OF(","));
        of_put_json(&body, found[at].key);
    }
    of_put(&body, OF("]}"));
    of_text path = of_format(call, "/lists/%.*s/%.*s", OF_ARG(of_encode(call, change->audience)), OF_ARG(verb));
    of_request request = post(call, config, path, of_text_of(&body));
    request.idempotent = true;
    of_response response;
    return of_send(call, &vendor, &request, &response);
}

of_error *add_members(of_call *call, const void *config, const of_audience_change *change, of_outcome *outcome) {
    return members(call, config, change, OF("add"), outcome);
}

of_error *remove_members(of_call *call, const void *config, const of_audience_change *change, of_outcome *outcome) {
    return members(call, config, change, OF("remove"), outcome);
}

of_error *erase_person(of_call *call, const void *config, const of_identifier *ids, size_t count, of_text request_id, of_erasure *erasure) {
    (void)request_id;
    of_text email = of_plain(ids, count, OF_EMAIL);
    if (email.at == NULL) {
        *erasure = (of_erasure){.status = OF_MANUAL, .text = OF("people are found by a plain email only")};
        return NULL;
    }
    of_buffer body = {.call = call};
    of_put(&body, OF("{\"email\":"));
    of_put_json(&body, email);
    of_put(&body, OF("}"));
    of_request request = post(call, config, OF("/erase"), of_text_of(&body));
    of_response response;
    of_error *error = of_send(call, &vendor, &request, &response);
    bool there = error == NULL || error->http_status != 404;
    *erasure = (of_erasure){.status = there ? OF_DONE : OF_NOT_FOUND, .records = there};
    return there ? error : NULL;
}
