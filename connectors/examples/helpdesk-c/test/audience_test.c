/* Erasing against scripted answers, without WebAssembly: `make test`. */

#include "onefold_test.h"

#include <stdio.h>

static void *configured(of_test_hub *hub) {
    void *config;
    OF_CHECK(of_configure(&hub->call, OF("{\"base_url\": \"https://desk.test/\", \"page_size\": 2}"), &config) == NULL);
    return config;
}

static void erasing_somebody_who_is_not_there_is_no_failure(void) {
    static const of_line script[] = {
        {"POST https://desk.test/v1/contacts/erase", 200, "{\"erased\":1}"},
        {"POST https://desk.test/v1/contacts/erase", 404, "{\"error\":{\"code\":\"not_found\"}}"},
    };
    of_test_hub hub;
    of_test_script(&hub, script, 2);
    of_identifier email = {.kind = OF_EMAIL, .value = OF("a@x.test")};
    of_erasure first, second;
    OF_CHECK(connector.erase_subject(&hub.call, configured(&hub), &email, 1, OF("r1"), &first) == NULL);
    OF_CHECK(connector.erase_subject(&hub.call, configured(&hub), &email, 1, OF("r2"), &second) == NULL);
    OF_CHECK(first.status == OF_DONE && first.records == 1 && second.status == OF_NOT_FOUND);
    of_test_finish(&hub);
}

int main(void) {
    erasing_somebody_who_is_not_there_is_no_failure();
    puts("1 test of erasing passed");
    return 0;
}
