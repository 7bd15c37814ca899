/* Reading contacts and tickets. */

#include "vendor.h"

typedef struct {
    const settings *config;
    of_text stream;
} reading;

/** A deleted record comes as a tombstone; of it only the key is passed on. */
static of_error *read_page(of_call *call, of_step *step, uint32_t room, of_found *found) {
    const reading *what = step->context;
    of_text path = of_format(call, "/v1/%.*s", OF_ARG(what->stream));
    of_request request = get(call, what->config, path.at);
    of_query_integer(&request, "limit", room < what->config->page_size ? room : what->config->page_size);
    of_text after = of_json_string(call, of_json_at(step->cursor, "/after"));
    if (after.at != NULL) of_query(&request, "after", after);

    of_response response;
    of_error *error = of_send(call, &vendor, &request, &response);
    if (error != NULL) {
        /* The vendor no longer knows where the last run ended. */
        if (error->http_status == 410) error->class = OF_CURSOR_EXPIRED;
        return error;
    }
    of_page page;
    const char *stream[] = {of_format(call, "%.*s", OF_ARG(what->stream)).at, NULL};
    error = of_cut(call, response.body, stream, &page);
    if (error != NULL) return error;
    for (size_t at = 0; at < page.count; at++) {
        of_text id = of_json_at(page.rows[at], "/id");
        /* A row without an id is the hub's to set aside. */
        if (of_json_is(of_json_at(page.rows[at], "/deleted"), "true") && id.at != NULL) {
            of_delete(found, of_format(call, "{\"id\":%.*s}", OF_ARG(id)));
        } else {
            of_push(&found->upserts, page.rows[at]);
        }
    }
    of_text next = of_json_at(page.envelope, "/next");
    step->cursor = of_format(call, "{\"after\":%.*s}", OF_ARG(next));
    step->done = !of_json_is(of_json_at(page.envelope, "/more"), "true");
    return NULL;
}

of_error *read_stream(of_call *call, const void *config, const of_read_request *request, of_batch *batch) {
    if (!of_is(request->stream, "contacts") && !of_is(request->stream, "tickets")) {
        return of_unknown(call, "stream", request->stream);
    }
    reading what = {config, request->stream};
    return of_read_pages(call, request, read_page, &what, batch);
}
