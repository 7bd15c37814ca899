/* Lists against scripted answers, without WebAssembly: `make test`. */

#include "onefold_test.h"

#include <stdio.h>

int main(void) {
    static const of_line script[] = {{"POST https://api.test/lists/l1/add", 200, "{}"}};
    of_test_hub hub;
    of_test_script(&hub, script, 1);
    void *config;
    OF_CHECK(of_configure(&hub.call, OF("{\"base_url\": \"https://api.test\"}"), &config) == NULL);
    of_identifier email = {.kind = OF_EMAIL, .value = OF("a@x.test")};
    of_member member = {&email, 1, OF_NONE};
    of_audience_change change = {.audience = OF("l1"), .members = &member, .count = 1, .idempotency_key = OF("k")};
    of_outcome outcome = {.call = &hub.call};
    OF_CHECK(connector.add(&hub.call, config, &change, &outcome) == NULL);
    OF_CHECK(outcome.count == 0 && of_is(hub.sent[0].body, "{\"emails\":[\"a@x.test\"]}"));
    of_test_finish(&hub);
    puts("members are added by their address");
    return 0;
}
