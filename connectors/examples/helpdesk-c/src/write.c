/* Writing contacts. */

#include "vendor.h"

/** The vendor gives a repeated key its first answer again, so a batch without an answer is simply sent once more. */
of_error *write_rows(of_call *call, const void *config, const of_write_request *request, of_outcome *outcome) {
    if (!of_is(request->target, "contacts")) return of_unknown(call, "target", request->target);
    if (request->mode != OF_UPSERT) return of_fail(call, OF_CONFIG, "helpdesk.mode", "contacts are only upserted");
    of_keyed_row *rows;
    size_t count = of_keyed(call, &vendor, request, "email", &rows, outcome);
    if (count == 0) return NULL;
    of_buffer body = {.call = call};
    for (size_t at = 0; at < count; at++) {
        of_put(&body, at == 0 ? OF("{\"contacts\":[") : OF(","));
        of_put(&body, rows[at].line);
    }
    of_put(&body, OF("]}"));
    of_request upsert = post(call, config, OF("/v1/contacts/upsert"), of_text_of(&body));
    of_set_header(&upsert, "Idempotency-Key", request->idempotency_key);
    upsert.idempotent = true;
    of_text answer;
    of_error *error = of_fetch(call, &vendor, &upsert, &answer);
    return error != NULL ? error : refuse(call, answer, rows, count, outcome);
}
