/* The SDK against known answers: `make test`. */

#include "onefold_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The SDK wants a connector; these tests need none but its configuration. */
typedef struct {
    of_text list;
    int64_t size;
} settings;

static of_error *configure(of_config *from, void *config) {
    settings *into = config;
    into->list = of_config_text(from, "list", NULL);
    into->size = of_config_integer(from, "size", 7);
    return NULL;
}

const of_connector connector = {.config_size = sizeof(settings), .configure = configure};

static const char *const RESULTS[] = {"results", NULL};

static of_text lines(of_call *call, of_text body, const char *const *path) {
    of_page page;
    OF_CHECK(of_cut(call, body, path, &page) == NULL);
    of_rows rows = {.data = {.call = call}};
    for (size_t at = 0; at < page.count; at++) of_push(&rows, page.rows[at]);
    OF_CHECK(rows.count == page.count);
    return of_text_of(&rows.data);
}

static void records_come_out_as_they_were_written_and_the_rest_is_the_envelope(of_call *call) {
    of_text body = OF("{\"total\": 2, \"results\":[{\"a\":\"x]},\\\"{\",\"b\":[1,{}]},{\"a\":1e5, \"b\":null},{\"n\":12345678901234567890.10}],\"next\":{\"after\":\"7\"}}");
    OF_CHECK(of_is(lines(call, body, RESULTS), "{\"a\":\"x]},\\\"{\",\"b\":[1,{}]}\n{\"a\":1e5, \"b\":null}\n{\"n\":12345678901234567890.10}\n"));
    of_page page;
    of_cut(call, body, RESULTS, &page);
    OF_CHECK(of_is(page.envelope, "{\"total\":2,\"results\":[],\"next\":{\"after\":\"7\"}}"));
    OF_CHECK(of_is(of_json_at(page.rows[2], "/n"), "12345678901234567890.10"));
    OF_CHECK(of_json_at(page.rows[2], "/m").at == NULL);
}

static void a_record_of_several_lines_becomes_one(of_call *call) {
    const char *const whole[] = {NULL};
    of_text body = OF("[\r\n  {\n    \"a\": \"b \\\"  c\",\n\t\"d\": [ 1,\n 2 ]\n  }\n]\n");
    OF_CHECK(of_is(lines(call, body, whole), "{\"a\":\"b \\\"  c\",\"d\":[1,2]}\n"));
}

static void a_page_cut_short_anywhere_or_no_json_is_transient(of_call *call) {
    of_text body = OF("{\"results\":[{\"a\":\"\\u00e9\\\\\"},{\"b\":[true,-1.5]}],\"more\":false}");
    of_page page;
    OF_CHECK(of_cut(call, body, RESULTS, &page) == NULL && page.count == 2);
    for (size_t end = 0; end < body.len; end++) {
        /* A copy of its own, so that reading behind the end is found by a checker. */
        char *part = malloc(end + 1);
        memcpy(part, body.at, end);
        of_error *error = of_cut(call, (of_text){part, end}, RESULTS, &page);
        OF_CHECK(error != NULL && error->class == OF_TRANSIENT);
        free(part);
    }
    const char *const broken[] = {"<html>", "{\"results\":[}]}", "{} {}", "[1]", "{\"results\":[{\"a\":\"x\ny\"}]}",
                                  "{\"results\":null}", "{\"results\":[1 2]}", "{\"results\":[],\"results\":[{}]}", "{\"a\" 1}"};
    for (size_t at = 0; at < sizeof broken / sizeof *broken; at++) {
        OF_CHECK(of_cut(call, of_from(broken[at]), RESULTS, &page) != NULL);
    }
}

/* I17 */
static void a_value_that_cannot_be_read_costs_no_other_record(of_call *call) {
    char deep[401];
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    deep[400] = 0;
    const char *const values[] = {"\"\\ud83d\"", "\"x\\udc00\"", "1e400", "-1E+999", "NaN", "Infinity", "-Infinity", deep};
    for (size_t at = 0; at < sizeof values / sizeof *values; at++) {
        of_text row = of_format(call, "{\"id\":2,\"bad\":%s,\"deleted\":true}", values[at]);
        const char *const shapes[] = {"%.*s,{\"id\":1}", "{\"id\":1},%.*s", "{\"id\":1},%.*s,{\"id\":3}", "%.*s"};
        for (size_t shape = 0; shape < 4; shape++) {
            of_text rows = of_format(call, shapes[shape], OF_ARG(row));
            of_text body = of_format(call, "{\"results\":[%.*s],\"more\":%s,\"next\":\"7\"}", OF_ARG(rows), values[at]);
            of_page page;
            OF_CHECK(of_cut(call, body, RESULTS, &page) == NULL);
            OF_CHECK(of_is(of_json_at(page.envelope, "/next"), "\"7\""));
            size_t place = shape == 1 || shape == 2;
            OF_CHECK(of_equal(page.rows[place], row));
            OF_CHECK(of_is(of_json_at(page.rows[place], "/id"), "2") && of_json_is(of_json_at(page.rows[place], "/deleted"), "true"));
        }
    }
    OF_CHECK(of_is(of_json_string(call, OF("\"x\\ud83d\"")), "x\xef\xbf\xbd"));
}

static void texts_are_read_and_written_as_json(of_call *call) {
    OF_CHECK(of_is(of_json_string(call, OF("\"a\\n\\u00e9\\ud83d\\ude00\\\\\\/\"")), "a\n\xc3\xa9\xf0\x9f\x98\x80\\/"));
    OF_CHECK(of_json_string(call, OF("12")).at == NULL);
    of_buffer buffer = {.call = call};
    of_put_json(&buffer, OF("a\"\\\n\xc3\xa9"));
    OF_CHECK(of_is(of_text_of(&buffer), "\"a\\\"\\\\\\u000a\xc3\xa9\""));
    OF_CHECK(of_json_integer(OF("-42"), 0) == -42 && of_json_integer(OF("1.5"), 9) == 9);
    OF_CHECK(of_is(of_encode(call, OF("a/b \xc3\xa9~")), "a%2Fb%20%C3%A9~"));
    of_text one, array = OF(" [ 1 , {\"a\":[2]}, \"x\" ]");
    size_t at = 0, count = 0;
    while (of_json_next(array, &at, &one)) count++;
    OF_CHECK(count == 3 && of_is(one, "\"x\""));
    at = 0;
    OF_CHECK(!of_json_next(OF("[]"), &at, &one) && !of_json_next(OF_NONE, &at, &one));
}

static of_error *numbers(of_call *call, of_step *step, uint32_t room, of_found *found) {
    int64_t from = of_json_integer(step->cursor, 0), end = from + (room < 10 ? room : 10);
    if (end > 100) end = 100;
    if (step->context != NULL && from == *(int64_t *)step->context) return of_fail(call, OF_TRANSIENT, "x", "broke");
    for (int64_t n = from; n < end; n++) of_push(&found->upserts, of_format(call, "{\"n\":%d}", (int)n));
    step->cursor = of_format(call, "%d", (int)end);
    step->done = end == 100;
    return NULL;
}

static void no_row_is_lost_or_repeated_at_any_bound(of_call *call) {
    const uint32_t bounds[][2] = {{1, 1}, {7, 1000000}, {25, 40}, {1000, 200}, {1000, 1000000}};
    for (size_t at = 0; at < 5; at++) {
        of_read_request request = of_test_whole("x");
        request.max_records = bounds[at][0];
        request.max_bytes = bounds[at][1];
        of_buffer seen = {.call = call}, expected = {.call = call};
        of_batch batch = {0};
        while (!batch.done) {
            OF_CHECK(of_read_pages(call, &request, numbers, NULL, &batch) == NULL);
            of_put(&seen, batch.upserts.data);
            request.cursor = batch.cursor;
        }
        for (int n = 0; n < 100; n++) of_put(&expected, of_format(call, "{\"n\":%d}\n", n));
        OF_CHECK(of_equal(of_text_of(&seen), of_text_of(&expected)));
    }
}

static void a_failure_after_the_first_page_keeps_the_pages_before_it(of_call *call) {
    int64_t third = 30, first = 0;
    of_read_request request = of_test_whole("x");
    of_batch batch;
    OF_CHECK(of_read_pages(call, &request, numbers, &third, &batch) == NULL);
    OF_CHECK(batch.upserts.count == 30 && !batch.done && of_is(batch.cursor, "30"));
    of_error *error = of_read_pages(call, &request, numbers, &first, &batch);
    OF_CHECK(error != NULL && error->class == OF_TRANSIENT);
}

/** Reads a page of lines, each a `+` or a `-` and JSON. */
static of_error *changes(of_call *call, of_step *step, uint32_t room, of_found *found) {
    (void)room;
    const char *const *pages = step->context;
    size_t number = (size_t)of_json_integer(step->cursor, 0), at = 0;
    of_text line;
    while (of_next_line((of_chunk){.data = of_from(pages[number])}, &at, &line)) {
        of_text json = {line.at + 1, line.len - 1};
        if (*line.at == '+') of_push(&found->upserts, json);
        else of_delete(found, json);
    }
    if (pages[number + 1] != NULL && of_is(of_from(pages[number + 1]), "broken")) return of_fail(call, OF_TRANSIENT, "x", "broke after its rows");
    step->cursor = of_format(call, "%zu", number + 1);
    step->done = pages[number + 1] == NULL;
    return NULL;
}

static void gathered(of_call *call, const char *const *pages, const char *upserts, const char *deletes) {
    of_read_request request = of_test_whole("x");
    of_batch batch;
    OF_CHECK(of_read_pages(call, &request, changes, (void *)pages, &batch) == NULL);
    if (!of_is(batch.upserts.data, upserts) || !of_is(batch.deletes.data, deletes)) {
        fprintf(stderr, "wanted\n%s%sgot\n%.*s%.*s", upserts, deletes, OF_ARG(batch.upserts.data), OF_ARG(batch.deletes.data));
    }
    OF_CHECK(of_is(batch.upserts.data, upserts) && of_is(batch.deletes.data, deletes));
    size_t at = 0, count = 0;
    for (of_text line; of_next_line(batch.deletes, &at, &line);) count++;
    OF_CHECK(batch.deletes.count == count);
}

#define PAGES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_record_that_is_deleted_and_created_again_is_not_deleted(of_call *call) {
    const char *wanted = "{\"id\":2}\n{\"id\":1,\"name\":\"new\"}\n";
    gathered(call, PAGES("-{\"id\":1}\n", "+{\"id\":2}\n+{\"id\":1,\"name\":\"new\"}\n"), wanted, "");
    gathered(call, PAGES("+{\"id\":2}\n-{\"id\":1}\n+{\"id\":1,\"name\":\"new\"}\n"), wanted, "");
}

static void the_vendors_last_word_counts(of_call *call) {
    const char *once = "{\"id\":1,\"name\":\"old\"}\n";
    gathered(call, PAGES("+{\"id\":1,\"name\":\"old\"}\n", "-{\"id\":1}\n"), once, "{\"id\":1}\n");
    gathered(call, PAGES("+{\"id\":1,\"name\":\"old\"}\n-{\"id\":1}\n"), once, "{\"id\":1}\n");
    gathered(call, PAGES("-{\"id\":1}\n+{\"id\":1,\"name\":\"old\"}\n", "-{\"id\":1}\n"), once, "{\"id\":1}\n");
    gathered(call, PAGES("-{\"id\":1}\n", "+{\"id\":1}\n-{\"id\":1}\n+{\"id\":1}\n-{\"id\":2}\n"), "{\"id\":1}\n{\"id\":1}\n", "{\"id\":2}\n");
}

static void keys_are_compared_as_json_values(of_call *call) {
    static const char *const same[][2] = {
        {"{\"id\":7}", "{\"name\":\"x\",\"id\":7.0}"},
        {"{\"id\":70}", "{\"id\":7e1}"},
        {"{\"id\":-0.0}", "{\"id\":0}"},
        {"{\"id\":12345678901234567890123}", "{\"id\":12345678901234567890123}"},
        {"{\"id\":\"a\xc3\xa9\"}", "{ \"\\u0069d\" : \"a\\u00e9\" }"},
        {"{\"id\":\"a/b\\n\"}", "{\"id\":\"a\\/b\\u000a\"}"},
        {"{\"id\":\"\\ud83d\"}", "{\"id\":\"\\ud83d\"}"},
        {"{\"a\":1,\"b\":\"x\"}", "{\"b\":\"x\",\"c\":3,\"a\":1}"},
        {"{\"key\":{\"a\":1,\"b\":2}}", "{\"key\":{\"b\":2,\"c\":3,\"a\":1.0}}"},
        {"{\"id\":[1,{\"a\":2}]}", "{\"id\":[ 1, {\"a\": 2} ]}"},
        {"{\"id\":null}", "{\"id\":null}"},
        {"{\"id\":1}", "{\"id\":1,\"id\":2}"},
        {"{\"id\":100000000000000000000000000000000000000000000000000}", "{\"id\":1e50}"},
        {"{\"a.b\":\"x\"}", "{\"a.b\":\"x\"}"}};
    for (size_t at = 0; at < sizeof same / sizeof *same; at++) {
        of_text gone = of_format(call, "-%s\n", same[at][0]), again = of_format(call, "+%s\n", same[at][1]);
        gathered(call, PAGES(gone.at, again.at), again.at + 1, "");
    }
}

static void other_keys_and_what_is_not_a_key_leave_the_delete_alone(of_call *call) {
    of_buffer deep = {.call = call};
    for (int at = 0; at < 5000; at++) of_put(&deep, OF("{\"id\":"));
    of_put(&deep, OF("1"));
    for (int at = 0; at < 5000; at++) of_put(&deep, OF("}"));
    of_put(&deep, (of_text){"", 1});
    const char *const different[][2] = {
        {"{\"id\":7}", "{\"id\":\"7\"}"},
        {"{\"id\":7}", "{\"id\":70}"},
        {"{\"id\":7}", "{\"id\":-7}"},
        {"{\"id\":7}", "{\"id\":7e40}"},
        {"{\"id\":0}", "{\"id\":0.5}"},
        {"{\"id\":\"a\"}", "{\"id\":\"ab\"}"},
        {"{\"id\":2}", "{\"id\":1,\"id\":2}"},
        {"{\"id\":12345678901234567890123}", "{\"id\":12345678901234567890124}"},
        {"{\"id\":1e1999999999999}", "{\"id\":1e1999999999998}"},
        {"{\"id\":\"\\ud83d\"}", "{\"id\":\"\\ud83e\"}"},
        {"{\"id\":\"a\"}", "{\"id\":\"A\"}"},
        {"{\"id\":\"{1}\"}", "{\"id\":{\"1\":1}}"},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":3}"},
        {"{\"a\":1,\"b\":2}", "{\"a\":1}"},
        {"{\"key\":{\"a\":1}}", "{\"key\":1}"},
        {"{\"key\":{\"a\":1}}", "{\"key\":[{\"a\":1}]}"},
        {"{\"id\":[1,2]}", "{\"id\":[1]}"},
        {"{\"id\":true}", "{\"id\":\"true\"}"},
        {"{\"id\":null}", "{}"},
        {"{}", "{\"id\":1}"},
        {"{\"id\":1}", "7"},
        {"{\"id\":1}", "{\"id\":1"},
        {"{\"id\":1}", "x"},
        {"[1]", "[1]"},
        {"{\"id\":1", "{\"id\":1}"},
        {"{\"id\":1}", deep.at},
        {deep.at, "{\"id\":1}"}};
    for (size_t at = 0; at < sizeof different / sizeof *different; at++) {
        of_text gone = of_format(call, "-%s\n", different[at][0]), other = of_format(call, "+%s\n", different[at][1]);
        gathered(call, PAGES(gone.at, other.at), other.at + 1, gone.at + 1);
    }
}

static void a_page_that_fails_takes_its_part_back(of_call *call) {
    gathered(call, PAGES("-{\"id\":1}\n", "+{\"id\":1}\n-{\"id\":2}\n", "broken"), "", "{\"id\":1}\n");
}

static void the_status_decides_the_class_and_the_vendors_words_are_kept(void) {
    static const of_vendor acme = {.name = "acme", .code = {"/error/code"}, .message = {"/error/message"}};
    static const struct { int status; of_class class; } classes[] = {
        {302, OF_OTHER}, {401, OF_AUTH}, {403, OF_PERMISSION}, {404, OF_PERMANENT},
        {408, OF_TRANSIENT}, {422, OF_PERMANENT}, {429, OF_RATE_LIMITED}, {500, OF_TRANSIENT}};
    for (size_t at = 0; at < sizeof classes / sizeof *classes; at++) {
        of_line script = {"GET https://acme.test/", classes[at].status, "{\"error\":{\"code\":\"bad\",\"message\":\"no\"}}"};
        of_test_hub hub;
        of_test_script(&hub, &script, 1);
        of_request request = of_get(&hub.call, OF("https://acme.test/"));
        of_response response;
        of_error *error = of_send(&hub.call, &acme, &request, &response);
        OF_CHECK(error != NULL && error->class == classes[at].class && error->http_status == classes[at].status);
        OF_CHECK(of_is(error->code, "acme.bad"));
        of_test_finish(&hub);
    }
}

static void a_configuration_names_the_key_that_is_wrong(of_call *call) {
    void *config;
    OF_CHECK(of_configure(call, OF("{\"list\":\"x\"}"), &config) == NULL);
    OF_CHECK(of_is(((settings *)config)->list, "x") && ((settings *)config)->size == 7);
    static const char *const wrong[][2] = {
        {"", "missing field `list`"},
        {"[]", "an object was expected"},
        {"{\"list\":\"x\",\"size\":\"many\"}", "`config.size`: \"many\" is not an integer"},
        {"{\"list\":\"x\",\"sise\":1}", "unknown field `sise`"}};
    for (size_t at = 0; at < 4; at++) {
        of_error *error = of_configure(call, of_from(wrong[at][0]), &config);
        OF_CHECK(error != NULL && error->class == OF_CONFIG);
        bool named = strstr(error->message.at, wrong[at][1]) != NULL;
        OF_CHECK(named || at == 1);
    }
}

static void failures_stand_in_the_rows_order(of_call *call) {
    of_outcome outcome = {.call = call};
    for (size_t at = 0; at < 100; at++) of_reject(&outcome, (at * 37) % 101, OF("c"), OF("m"));
    OF_CHECK(outcome.count == 100);
    for (size_t at = 1; at < 100; at++) OF_CHECK(outcome.failures[at - 1].index < outcome.failures[at].index);
    of_keyed_row *rows;
    of_write_request request = {.rows = {4, OF("{\"e\":\"A@x \"}\n{\"e\":\"a@X\"}\n{\"n\":1}\n{\"e\":\"b\",\"n\":1}\n")}};
    static const of_vendor acme = {.name = "acme"};
    of_outcome named = {.call = call};
    OF_CHECK(of_keyed(call, &acme, &request, "e", &rows, &named) == 2 && rows[1].index == 3);
    OF_CHECK(named.count == 2 && of_is(named.failures[0].code, "acme.duplicate") && of_is(named.failures[1].code, "acme.no_e"));
}

int main(void) {
    of_test_hub hub;
    of_test_script(&hub, NULL, 0);
    of_call *call = &hub.call;
    records_come_out_as_they_were_written_and_the_rest_is_the_envelope(call);
    a_record_of_several_lines_becomes_one(call);
    a_page_cut_short_anywhere_or_no_json_is_transient(call);
    a_value_that_cannot_be_read_costs_no_other_record(call);
    texts_are_read_and_written_as_json(call);
    no_row_is_lost_or_repeated_at_any_bound(call);
    a_failure_after_the_first_page_keeps_the_pages_before_it(call);
    a_record_that_is_deleted_and_created_again_is_not_deleted(call);
    the_vendors_last_word_counts(call);
    keys_are_compared_as_json_values(call);
    other_keys_and_what_is_not_a_key_leave_the_delete_alone(call);
    a_page_that_fails_takes_its_part_back(call);
    the_status_decides_the_class_and_the_vendors_words_are_kept();
    a_configuration_names_the_key_that_is_wrong(call);
    failures_stand_in_the_rows_order(call);
    of_test_finish(&hub);
    puts("14 tests of the SDK passed");
    return 0;
}
