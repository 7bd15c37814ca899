/* Writing against scripted answers, without WebAssembly: `make test`. */

#include "onefold_test.h"

#include <stdio.h>

int main(void) {
    static const of_line script[] = {{"POST https://api.test/people", 200, "{}"}};
    of_test_hub hub;
    of_test_script(&hub, script, 1);
    void *config;
    OF_CHECK(of_configure(&hub.call, OF("{\"base_url\": \"https://api.test\"}"), &config) == NULL);
    of_write_request request = {
        .target = OF("people"),
        .rows = {2, OF("{\"name\":\"Nobody\"}\n{\"email\":\"a@x.test\"}\n")},
        .idempotency_key = OF("k1"),
    };
    of_outcome outcome = {.call = &hub.call};
    OF_CHECK(connector.write(&hub.call, config, &request, &outcome) == NULL);
    OF_CHECK(outcome.count == 1 && outcome.failures[0].index == 0);
    OF_CHECK(of_is(hub.sent[0].body, "{\"people\":[{\"email\":\"a@x.test\"}]}"));
    of_test_finish(&hub);
    puts("rows are sent, and one without a key is a failure");
    return 0;
}
