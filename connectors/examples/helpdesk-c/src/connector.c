/*
 * The help desk: contacts and tickets in, contacts out, audiences as tags, erasure. Transport, retries and credentials
 * are the hub's.
 */

#include "vendor.h"

const of_vendor vendor = {.name = "helpdesk", .code = {"/error/code"}, .message = {"/error/message"}};

static of_error *configure(of_config *from, void *config) {
    settings *into = config;
    into->base_url = of_base(of_config_text(from, "base_url", "https://desk.example.com"));
    into->page_size = of_config_integer(from, "page_size", 200);
    return NULL;
}

of_request get(of_call *call, const settings *config, const char *path) {
    of_request request = of_get(call, of_format(call, "%.*s%s", OF_ARG(config->base_url), path));
    request.credential = OF("token");
    return request;
}

of_request post(of_call *call, const settings *config, of_text path, of_text json) {
    of_request request = of_post(call, of_format(call, "%.*s%.*s", OF_ARG(config->base_url), OF_ARG(path)));
    request.credential = OF("token");
    of_json_body(&request, json);
    return request;
}

static of_error *check(of_call *call, const void *config, of_check_report *report) {
    of_request request = get(call, config, "/v1/me");
    of_text me, scope;
    of_error *error = of_fetch(call, &vendor, &request, &me);
    if (error != NULL) return error;
    report->account = of_json_string(call, of_json_at(me, "/account"));
    bool may_write = false;
    for (size_t at = 0; of_json_next(of_json_at(me, "/scopes"), &at, &scope);) may_write |= of_is(scope, "\"write\"");
    if (!may_write) report->warnings[report->warning_count++] = OF("the token may read but not write");
    return NULL;
}

const of_connector connector = {
    .config_size = sizeof(settings),
    .configure = configure,
    .check = check,
    .read = read_stream,
    .write = write_rows,
    .list_audiences = list_audiences,
    .create = create_audience,
    .add = add_members,
    .remove = remove_members,
    .erase_subject = erase_person,
};
