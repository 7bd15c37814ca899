/* Reading against scripted answers, without WebAssembly: `make test`. */

#include "onefold_test.h"

#include <stdio.h>

int main(void) {
    static const of_line script[] = {
        {"GET https://api.test/people?limit=", 200, "{\"people\":[{\"id\":\"1\"}],\"next\":\"p2\"}"},
        {"GET https://api.test/people?limit=", 200, "{\"people\":[{\"id\":\"2\"}],\"next\":null}"},
    };
    of_test_hub hub;
    of_test_script(&hub, script, 2);
    void *config;
    OF_CHECK(of_configure(&hub.call, OF("{\"base_url\": \"https://api.test\"}"), &config) == NULL);
    of_read_request request = of_test_whole("people");
    of_batch batch;
    OF_CHECK(connector.read(&hub.call, config, &request, &batch) == NULL);
    OF_CHECK(batch.done && of_is(batch.upserts.data, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n"));
    OF_CHECK(of_is(batch.cursor, "{\"after\":\"p2\"}"));
    OF_CHECK(of_is(hub.sent[0].credential, "token"));
    of_test_finish(&hub);
    puts("every page is read");
    return 0;
}
