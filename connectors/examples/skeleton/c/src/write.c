/* Writing people. */

#include "vendor.h"

of_error *write_rows(of_call *call, const void *config, const of_write_request *request, of_outcome *outcome) {
    /* The targets of `manifest.json` and their modes. */
    if (!of_is(request->target, "people")) return of_unknown(call, "target", request->target);
    if (request->mode != OF_UPSERT) return of_fail(call, OF_CONFIG, "helpdesk.mode", "people are only upserted");
    of_keyed_row *rows;
    size_t count = of_keyed(call, &vendor, request, "email", &rows, outcome);
    if (count == 0) return NULL;
    of_buffer body = {.call = call};
    for (size_t at = 0; at < count; at++) {
        of_put(&body, at == 0 ? OF("{\"people\":[") : OF(","));
        of_put(&body, rows[at].line);
    }
    of_put(&body, OF("]}"));
    of_request upsert = post(call, config, OF("/people"), of_text_of(&body));
    /* Where a repetition changes nothing: the hub then tries again by itself. */
    upsert.idempotent = true;
    of_response response;
    /* Call `of_reject` for each row that the vendor does not take. */
    return of_send(call, &vendor, &upsert, &response);
}
