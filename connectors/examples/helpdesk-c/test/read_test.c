/* Reading against scripted answers, without WebAssembly: `make test`. */

#include "onefold_test.h"

#include <stdio.h>

static void *configured(of_test_hub *hub) {
    void *config;
    OF_CHECK(of_configure(&hub->call, OF("{\"base_url\": \"https://desk.test/\", \"page_size\": 2}"), &config) == NULL);
    return config;
}

static void records_are_passed_on_as_they_were_written_and_tombstones_as_deletes(void) {
    static const of_line script[] = {
        {"GET https://desk.test/v1/contacts?limit=2", 200,
         "{\"contacts\":[{\"id\":12345678901234567890,\"score\":1.10},{\"id\":2, \"x\":1e2}],\"next\":\"a/1\",\"more\":true}"},
        {"GET https://desk.test/v1/contacts?limit=2&after=a%2F1", 200,
         "{\"contacts\":[{\"id\":98765432109876543210,\"deleted\":true,\"updated_at\":\"x\"}],\"next\":\"a2\",\"more\":false}"},
    };
    of_test_hub hub;
    of_test_script(&hub, script, 2);
    of_read_request request = of_test_whole("contacts");
    of_batch batch;
    OF_CHECK(connector.read(&hub.call, configured(&hub), &request, &batch) == NULL);
    OF_CHECK(batch.done && batch.upserts.count == 2 && batch.deletes.count == 1);
    OF_CHECK(of_is(batch.upserts.data, "{\"id\":12345678901234567890,\"score\":1.10}\n{\"id\":2, \"x\":1e2}\n"));
    OF_CHECK(of_is(batch.deletes.data, "{\"id\":98765432109876543210}\n"));
    OF_CHECK(of_is(batch.cursor, "{\"after\":\"a2\"}"));
    OF_CHECK(of_is(hub.sent[0].credential, "token"));
    of_test_finish(&hub);
}

static void a_record_that_is_deleted_and_created_again_is_there(void) {
    static const of_line script[] = {
        {"GET https://desk.test/v1/tickets?limit=2", 200,
         "{\"tickets\":[{\"id\":\"T-1\",\"deleted\":true},{\"id\":\"T-2\",\"deleted\":true}],\"next\":\"a1\",\"more\":true}"},
        {"GET https://desk.test/v1/tickets?limit=2&after=a1", 200,
         "{\"tickets\":[{\"id\":\"T-1\",\"subject\":\"again\"}],\"next\":\"a2\",\"more\":false}"},
    };
    of_test_hub hub;
    of_test_script(&hub, script, 2);
    of_read_request request = of_test_whole("tickets");
    of_batch batch;
    OF_CHECK(connector.read(&hub.call, configured(&hub), &request, &batch) == NULL);
    OF_CHECK(of_is(batch.upserts.data, "{\"id\":\"T-1\",\"subject\":\"again\"}\n"));
    OF_CHECK(of_is(batch.deletes.data, "{\"id\":\"T-2\"}\n"));
    of_test_finish(&hub);
}

static void a_cursor_that_the_vendor_no_longer_knows_asks_for_a_fresh_start(void) {
    static const of_line script[] = {{"GET https://desk.test/v1/tickets?limit=2&after=old", 410, "{\"error\":{\"code\":\"cursor_expired\"}}"}};
    of_test_hub hub;
    of_test_script(&hub, script, 1);
    of_read_request request = of_test_whole("tickets");
    request.cursor = OF("{\"after\":\"old\"}");
    of_batch batch;
    of_error *error = connector.read(&hub.call, configured(&hub), &request, &batch);
    OF_CHECK(error != NULL && error->class == OF_CURSOR_EXPIRED);
    of_test_finish(&hub);
}

int main(void) {
    records_are_passed_on_as_they_were_written_and_tombstones_as_deletes();
    a_record_that_is_deleted_and_created_again_is_there();
    a_cursor_that_the_vendor_no_longer_knows_asks_for_a_fresh_start();
    puts("3 tests of reading passed");
    return 0;
}
