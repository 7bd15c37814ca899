/* Writing against scripted answers, without WebAssembly: `make test`. */

#include "onefold_test.h"

#include <stdio.h>

static void *configured(of_test_hub *hub) {
    void *config;
    OF_CHECK(of_configure(&hub->call, OF("{\"base_url\": \"https://desk.test/\", \"page_size\": 2}"), &config) == NULL);
    return config;
}

static void rows_that_the_vendor_refuses_are_named_and_those_without_a_key_are_not_sent(void) {
    static const of_line script[] = {{"POST https://desk.test/v1/contacts/upsert", 200,
        "{\"results\":[{\"status\":\"created\",\"id\":1},{\"status\":\"error\",\"code\":\"invalid_email\",\"message\":\"no\"}]}"}};
    of_test_hub hub;
    of_test_script(&hub, script, 1);
    of_write_request request = {
        .target = OF("contacts"),
        .rows = {3, OF("{\"name\":\"Nobody\"}\n{\"email\":\"a@x.test\"}\n{\"email\":\"b\"}\n")},
        .idempotency_key = OF("k1"),
    };
    of_outcome outcome = {.call = &hub.call};
    OF_CHECK(connector.write(&hub.call, configured(&hub), &request, &outcome) == NULL);
    OF_CHECK(outcome.count == 2 && outcome.failures[0].index == 0 && outcome.failures[1].index == 2);
    OF_CHECK(of_is(outcome.failures[0].code, "helpdesk.no_email") && of_is(outcome.failures[1].code, "helpdesk.invalid_email"));
    OF_CHECK(of_is(hub.sent[0].body, "{\"contacts\":[{\"email\":\"a@x.test\"},{\"email\":\"b\"}]}"));
    of_test_finish(&hub);
}

int main(void) {
    rows_that_the_vendor_refuses_are_named_and_those_without_a_key_are_not_sent();
    puts("1 test of writing passed");
    return 0;
}
