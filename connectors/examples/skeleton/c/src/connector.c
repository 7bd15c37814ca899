/* The connector: its configuration, its parts, and a proof that they work. */

#include "vendor.h"

/* Where the answer to a refused request has an error's code and message. */
const of_vendor vendor = {.name = "helpdesk", .code = {"/error/code"}, .message = {"/error/message"}};

static of_error *configure(of_config *from, void *config) {
    settings *into = config;
    into->base_url = of_base(of_config_text(from, "base_url", "https://api.example.com"));
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

/** Any request that a wrong credential makes fail. */
static of_error *check(of_call *call, const void *config, of_check_report *report) {
    (void)report;
    of_request request = get(call, config, "/me");
    of_response response;
    return of_send(call, &vendor, &request, &response);
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
