/* Reading people. */

#include "vendor.h"

/** One page, from where the last one ended; `room` is how many records are still wanted. */
static of_error *read_page(of_call *call, of_step *step, uint32_t room, of_found *found) {
    of_request request = get(call, step->context, "/people");
    of_query_integer(&request, "limit", room);
    of_text after = of_json_string(call, of_json_at(step->cursor, "/after"));
    if (after.at != NULL) of_query(&request, "after", after);

    of_response response;
    of_error *error = of_send(call, &vendor, &request, &response);
    if (error != NULL) return error;
    of_page page;
    const char *rows[] = {"people", NULL};
    error = of_cut(call, response.body, rows, &page);
    if (error != NULL) return error;
    for (size_t at = 0; at < page.count; at++) of_push(&found->upserts, page.rows[at]);
    /* Where the next page begins: another place than this one's. Without one, the next run begins here again. */
    of_text next = of_json_at(page.envelope, "/next");
    step->done = of_json_is(next, "null");
    if (!step->done) step->cursor = of_format(call, "{\"after\":%.*s}", OF_ARG(next));
    return NULL;
}

of_error *read_stream(of_call *call, const void *config, const of_read_request *request, of_batch *batch) {
    /* The streams of `manifest.json`. */
    if (!of_is(request->stream, "people")) return of_unknown(call, "stream", request->stream);
    return of_read_pages(call, request, read_page, (void *)config, batch);
}
