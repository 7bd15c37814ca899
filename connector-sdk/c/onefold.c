/* The SDK's code, one part for each part of the header. No input and no output of its own. */

#include "onefold.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Text and memory ---- */

struct of_block {
    of_block *next;
    size_t used, room;
    _Alignas(16) char bytes[];
};

enum { BLOCK = 1 << 16 };

void *of_alloc(of_call *call, size_t bytes) {
    bytes = (bytes + 15) & ~(size_t)15;
    of_block *block = call->blocks;
    if (block == NULL || block->room - block->used < bytes) {
        size_t room = bytes > BLOCK ? bytes : BLOCK;
        block = calloc(1, sizeof *block + room);
        if (block == NULL) abort();
        block->room = room;
        if (call->blocks != NULL && bytes > BLOCK / 4) {
            /* A large piece goes behind, so that the block in use stays in use. */
            block->used = bytes;
            block->next = call->blocks->next;
            call->blocks->next = block;
            return block->bytes;
        }
        block->next = call->blocks;
        call->blocks = block;
    }
    void *at = block->bytes + block->used;
    block->used += bytes;
    return at;
}

void of_end(of_call *call) {
    while (call->blocks != NULL) {
        of_block *next = call->blocks->next;
        free(call->blocks);
        call->blocks = next;
    }
}

of_text of_from(const char *zero_ended) { return (of_text){zero_ended, strlen(zero_ended)}; }

bool of_equal(of_text one, of_text other) { return one.len == other.len && (one.len == 0 || memcmp(one.at, other.at, one.len) == 0); }

bool of_is(of_text text, const char *zero_ended) { return text.at != NULL && of_equal(text, of_from(zero_ended)); }

static of_text format_all(of_call *call, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) return OF("");
    char *at = of_alloc(call, (size_t)length + 1);
    vsnprintf(at, (size_t)length + 1, format, arguments);
    return (of_text){at, (size_t)length};
}

of_text of_format(of_call *call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    of_text text = format_all(call, format, arguments);
    va_end(arguments);
    return text;
}

static char *reserve(of_buffer *buffer, size_t more) {
    if (buffer->room - buffer->len < more) {
        size_t room = buffer->room * 2 + more + 256;
        char *at = of_alloc(buffer->call, room);
        if (buffer->len > 0) memcpy(at, buffer->at, buffer->len);
        buffer->at = at;
        buffer->room = room;
    }
    char *end = buffer->at + buffer->len;
    buffer->len += more;
    return end;
}

void of_put(of_buffer *buffer, of_text text) {
    char *end = reserve(buffer, text.len);
    if (text.len > 0) memcpy(end, text.at, text.len);
}

void of_put_json(of_buffer *buffer, of_text text) {
    of_put(buffer, OF("\""));
    size_t from = 0;
    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = (unsigned char)text.at[at];
        if (byte != '"' && byte != '\\' && byte >= 0x20) continue;
        char escape[8];
        int length = byte < 0x20 ? snprintf(escape, sizeof escape, "\\u%04x", byte) : snprintf(escape, sizeof escape, "\\%c", byte);
        of_put(buffer, (of_text){text.at + from, at - from});
        of_put(buffer, (of_text){escape, (size_t)length});
        from = at + 1;
    }
    of_put(buffer, (of_text){text.at + from, text.len - from});
    of_put(buffer, OF("\""));
}

of_text of_text_of(const of_buffer *buffer) { return (of_text){buffer->at == NULL ? "" : buffer->at, buffer->len}; }

/* ---- Errors ---- */

of_error *of_fail(of_call *call, of_class class, const char *code, const char *format, ...) {
    of_error *error = of_alloc(call, sizeof *error);
    va_list arguments;
    va_start(arguments, format);
    *error = (of_error){.class = class, .code = of_from(code), .message = format_all(call, format, arguments), .retry_after_ms = -1};
    va_end(arguments);
    return error;
}

of_error *of_unknown(of_call *call, const char *kind, of_text name) {
    of_text code = of_format(call, "connector.unknown_%s", kind);
    return of_fail(call, OF_CONFIG, code.at, "this connector has no %s `%.*s`", kind, OF_ARG(name));
}

/* ---- JSON, read in place ---- */

/** A reader that moves over JSON; `broken` once the document is. */
typedef struct {
    const char *at, *end;
    bool broken;
} scan;

static int peek(scan *scan) {
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n')) scan->at++;
    return scan->broken || scan->at == scan->end ? -1 : (unsigned char)*scan->at;
}

static int take(scan *scan, const char *wanted) {
    int found = peek(scan);
    if (found <= 0 || strchr(wanted, found) == NULL) {
        scan->broken = true;
        return -1;
    }
    scan->at++;
    return found;
}

/**
 * Moves behind the closing quote of a string whose content begins here. Eight bytes at a time: a byte is equal to a
 * wanted one where the exclusive or is zero, and `(x - 1) & ~x` has its high bit set in the lowest zero byte. A raw
 * control character inside a string is no JSON.
 */
static void string_end(scan *scan) {
    const uint64_t ones = 0x0101010101010101u, high = ones << 7;
    const char *at = scan->at, *end = scan->end;
    for (;;) {
        while (end - at >= 8) {
            uint64_t word;
            memcpy(&word, at, 8);
            uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
            uint64_t found = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((word - ones * 0x20) & ~word);
            if ((found & high) != 0) break;
            at += 8;
        }
        for (; at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20; at++) {}
        if (at < end && *at == '"') {
            scan->at = at + 1;
            return;
        }
        if (end - at < 2 || *at != '\\' || (unsigned char)at[1] < 0x20) {
            scan->broken = true;
            scan->at = at;
            return;
        }
        at += 2;
    }
}

/** Moves behind one value; true when a line break stands between its tokens. */
static bool skip(scan *scan) {
    int first = peek(scan);
    if (first == '"') {
        scan->at++;
        string_end(scan);
        return false;
    }
    if (first != '{' && first != '[') {
        const char *from = scan->at;
        while (scan->at < scan->end && (isalnum((unsigned char)*scan->at) || *scan->at == '+' || *scan->at == '-' || *scan->at == '.')) scan->at++;
        scan->broken |= scan->at == from;
        return false;
    }
    bool lines = false;
    size_t depth = 0;
    while (scan->at < scan->end && !scan->broken) {
        unsigned char byte = (unsigned char)*scan->at++;
        switch (byte) {
        case '"': string_end(scan); break;
        case '{': case '[': depth++; break;
        case '}': case ']':
            if (--depth == 0) return lines;
            break;
        case '\n': case '\r': lines = true; break;
        default: scan->broken |= byte < 0x20 && byte != '\t';
        }
    }
    scan->broken = true;
    return lines;
}

static of_text value(scan *scan) {
    peek(scan);
    const char *from = scan->at;
    skip(scan);
    return (of_text){from, (size_t)(scan->at - from)};
}

/** The name of the next member without its quotes; the scan stands behind the colon. */
static of_text member(scan *scan) {
    take(scan, "\"");
    const char *from = scan->at;
    if (!scan->broken) string_end(scan);
    of_text name = {from, scan->broken ? 0 : (size_t)(scan->at - from - 1)};
    take(scan, ":");
    return name;
}

of_text of_json_at(of_text json, const char *pointer) {
    while (*pointer == '/') {
        const char *end = strchr(++pointer, '/');
        of_text key = {pointer, end == NULL ? strlen(pointer) : (size_t)(end - pointer)};
        scan here = {json.at, json.at + json.len, json.at == NULL};
        of_text found = OF_NONE;
        take(&here, "{");
        if (peek(&here) == '}') return OF_NONE;
        do {
            of_text name = member(&here);
            of_text one = value(&here);
            if (here.broken) return OF_NONE;
            if (of_equal(name, key)) found = one;
        } while (take(&here, ",}") == ',');
        if (here.broken || found.at == NULL) return OF_NONE;
        json = found;
        pointer += key.len;
    }
    return json;
}

static int hex(const char *at) {
    int code = 0;
    for (int digit = 0; digit < 4; digit++) {
        int character = tolower((unsigned char)at[digit]);
        if (!isxdigit(character)) return -1;
        code = code * 16 + (character <= '9' ? character - '0' : character - 'a' + 10);
    }
    return code;
}

static void put_code_point(of_buffer *buffer, uint32_t code) {
    char bytes[4];
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t at = length; at-- > 1; code >>= 6) bytes[at] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)(marks[length] | code);
    of_put(buffer, (of_text){bytes, length});
}

/** One `\u` escape, or two that make one character; gives the place behind it. */
static size_t put_escaped(of_buffer *buffer, of_text inside, size_t at) {
    int code = inside.len - at >= 4 ? hex(inside.at + at) : -1;
    at += 4;
    bool high = code >= 0xd800 && code < 0xdc00;
    if (high && inside.len >= at + 6 && inside.at[at] == '\\' && inside.at[at + 1] == 'u') {
        int low = hex(inside.at + at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            put_code_point(buffer, 0x10000u + ((uint32_t)(code - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
            return at + 6;
        }
    }
    bool alone = code < 0 || (code >= 0xd800 && code < 0xe000);
    put_code_point(buffer, alone ? 0xfffd : (uint32_t)code);
    return at;
}

of_text of_json_string(of_call *call, of_text json) {
    if (json.at == NULL || json.len < 2 || *json.at != '"') return OF_NONE;
    of_text inside = {json.at + 1, json.len - 2};
    if (memchr(inside.at, '\\', inside.len) == NULL) return inside;
    of_buffer buffer = {.call = call};
    for (size_t at = 0; at < inside.len;) {
        char byte = inside.at[at++];
        if (byte != '\\' || at == inside.len) {
            of_put(&buffer, (of_text){&byte, 1});
            continue;
        }
        char escape = inside.at[at++];
        static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
        const char *known = strchr(from, escape);
        if (escape == 'u') at = put_escaped(&buffer, inside, at);
        else of_put(&buffer, known != NULL ? (of_text){to + (known - from), 1} : (of_text){&inside.at[at - 1], 1});
    }
    return of_text_of(&buffer);
}

bool of_json_is(of_text json, const char *word) { return of_is(json, word); }

int64_t of_json_integer(of_text json, int64_t otherwise) {
    int64_t number = 0;
    size_t at = json.len > 0 && json.at[0] == '-';
    if (json.len == at || json.len - at > 18) return otherwise;
    for (size_t digit = at; digit < json.len; digit++) {
        if (!isdigit((unsigned char)json.at[digit])) return otherwise;
        number = number * 10 + (json.at[digit] - '0');
    }
    return at ? -number : number;
}

bool of_json_next(of_text array, size_t *at, of_text *element) {
    scan here = {array.at + *at, array.at + array.len, array.at == NULL};
    if (here.broken || take(&here, *at == 0 ? "[" : ",]") == ']' || peek(&here) == ']') return false;
    *element = value(&here);
    *at = (size_t)(here.at - array.at);
    return !here.broken;
}

/* ---- Configuration ---- */

static of_text setting(of_config *config, const char *key) {
    if (config->count < 32) config->known[config->count++] = key;
    of_text pointer = of_format(config->call, "/%s", key);
    return of_json_at(config->json, pointer.at);
}

static void complain(of_config *config, of_error *error) {
    if (config->error == NULL) config->error = error;
}

static void wrong(of_config *config, const char *key, of_text value, const char *kind) {
    complain(config, of_fail(config->call, OF_CONFIG, "config.invalid", "`config.%s`: %.*s is not %s", key, OF_ARG(value), kind));
}

of_text of_config_text(of_config *config, const char *key, const char *otherwise) {
    of_text found = setting(config, key);
    if (found.at == NULL && otherwise == NULL) {
        complain(config, of_fail(config->call, OF_CONFIG, "config.invalid", "in the configuration: missing field `%s`", key));
    }
    if (found.at == NULL) return of_from(otherwise == NULL ? "" : otherwise);
    of_text text = of_json_string(config->call, found);
    if (text.at == NULL) wrong(config, key, found, "a string");
    return text;
}

int64_t of_config_integer(of_config *config, const char *key, int64_t otherwise) {
    of_text found = setting(config, key);
    if (found.at == NULL) return otherwise;
    int64_t number = of_json_integer(found, INT64_MIN);
    if (number == INT64_MIN) wrong(config, key, found, "an integer");
    return number;
}

bool of_config_boolean(of_config *config, const char *key, bool otherwise) {
    of_text found = setting(config, key);
    if (found.at == NULL) return otherwise;
    if (!of_is(found, "true") && !of_is(found, "false")) wrong(config, key, found, "a boolean");
    return of_is(found, "true");
}

of_error *of_config_end(of_config *config) {
    scan here = {config->json.at, config->json.at + config->json.len, false};
    take(&here, "{");
    if (peek(&here) == '}') return config->error;
    do {
        of_text name = member(&here);
        value(&here);
        bool known = false;
        for (int at = 0; at < config->count; at++) known |= of_is(name, config->known[at]);
        if (!known && !here.broken) {
            complain(config, of_fail(config->call, OF_CONFIG, "config.invalid", "in the configuration: unknown field `%.*s`", OF_ARG(name)));
        }
    } while (take(&here, ",}") == ',');
    if (here.broken) complain(config, of_fail(config->call, OF_CONFIG, "config.invalid", "in the configuration: an object was expected"));
    return config->error;
}

of_error *of_configure(of_call *call, of_text json, void **config) {
    *config = of_alloc(call, connector.config_size);
    of_config from = {.call = call, .json = json.len == 0 ? OF("{}") : json};
    of_error *error = connector.configure(&from, *config);
    return error != NULL ? error : of_config_end(&from);
}

/* ---- The hub ---- */

void of_log(of_call *call, of_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    call->hub->log(call->hub, level, format_all(call, format, arguments), OF_NONE);
    va_end(arguments);
}

/* ---- Requests and what their answers mean ---- */

of_request of_get(of_call *call, of_text url) { return (of_request){.method = OF("GET"), .url = url, .idempotent = true, .call = call}; }

of_request of_post(of_call *call, of_text url) { return (of_request){.method = OF("POST"), .url = url, .call = call}; }

void of_query(of_request *request, const char *name, of_text value) {
    of_call *call = request->call;
    char mark = memchr(request->url.at, '?', request->url.len) != NULL ? '&' : '?';
    of_text encoded = of_encode(call, value), key = of_encode(call, of_from(name));
    request->url = of_format(call, "%.*s%c%.*s=%.*s", OF_ARG(request->url), mark, OF_ARG(key), OF_ARG(encoded));
}

void of_query_integer(of_request *request, const char *name, int64_t value) {
    of_query(request, name, of_format(request->call, "%lld", (long long)value));
}

void of_set_header(of_request *request, const char *name, of_text value) {
    if (request->header_count < 16) request->headers[request->header_count++] = (of_header){of_from(name), value};
}

void of_json_body(of_request *request, of_text json) {
    request->body = json;
    of_set_header(request, "Content-Type", OF("application/json"));
}

of_text of_encode(of_call *call, of_text text) {
    of_buffer buffer = {.call = call};
    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = (unsigned char)text.at[at];
        char escape[4];
        bool plain = isalnum(byte) || (byte != 0 && strchr("-._~", byte) != NULL);
        int length = plain ? snprintf(escape, sizeof escape, "%c", byte) : snprintf(escape, sizeof escape, "%%%02X", byte);
        of_put(&buffer, (of_text){escape, (size_t)length});
    }
    return of_text_of(&buffer);
}

of_text of_base(of_text url) {
    while (url.len > 0 && url.at[url.len - 1] == '/') url.len--;
    return url;
}

of_text of_response_header(const of_response *response, const char *name) {
    for (size_t at = 0; at < response->header_count; at++) {
        of_text known = response->headers[at].name;
        bool same = known.len == strlen(name);
        for (size_t place = 0; same && place < known.len; place++) {
            same = tolower((unsigned char)known.at[place]) == tolower((unsigned char)name[place]);
        }
        if (same) return response->headers[at].value;
    }
    return OF_NONE;
}

/** How many bytes the character at `at` has; 0 when it is none. */
static size_t character(of_text text, size_t at) {
    unsigned char first = (unsigned char)text.at[at];
    size_t bytes = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (bytes > text.len - at) return 0;
    for (size_t next = 1; next < bytes; next++) {
        if (((unsigned char)text.at[at + next] & 0xC0) != 0x80) return 0;
    }
    if (bytes < 3) return bytes;
    unsigned char second = (unsigned char)text.at[at + 1];
    bool is_wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                    (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
    return is_wrong ? 0 : bytes;
}

/** At most 500 characters; what is no character becomes one that says so. */
static of_text capped(of_call *call, of_text text) {
    of_buffer buffer = {.call = call};
    size_t at = 0;
    for (int count = 0; at < text.len && count < 500; count++) {
        size_t bytes = character(text, at);
        of_put(&buffer, bytes > 0 ? (of_text){text.at + at, bytes} : OF("\xEF\xBF\xBD"));
        at += bytes > 0 ? bytes : 1;
    }
    if (at < text.len) of_put(&buffer, OF("\xE2\x80\xA6"));
    return of_text_of(&buffer);
}

of_text of_own(of_call *call, const of_vendor *vendor, of_text code) {
    of_text text = capped(call, code);
    return of_format(call, "%s.%.*s", vendor->name, OF_ARG(text));
}

/** The first pointer that leads to something, as text; a body that is no text says nothing. */
static of_text said(of_call *call, of_text body, const char *const pointers[4]) {
    for (size_t at = 0; at < body.len;) {
        size_t bytes = character(body, at);
        if (bytes == 0) return OF_NONE;
        at += bytes;
    }
    for (int at = 0; at < 4 && pointers[at] != NULL; at++) {
        of_text found = of_json_at(body, pointers[at]);
        if (found.at == NULL) continue;
        of_text text = of_json_string(call, found);
        return text.at != NULL ? text : found;
    }
    return OF_NONE;
}

static of_class class_of(int status) {
    switch (status) {
    case 401: return OF_AUTH;
    case 403: return OF_PERMISSION;
    case 429: return OF_RATE_LIMITED;
    case 408: case 425: return OF_TRANSIENT;
    default: return status >= 500 ? OF_TRANSIENT : status >= 400 ? OF_PERMANENT : OF_OTHER;
    }
}

/** `Retry-After` in seconds; the form with a date is the hub's to read, which has seen it too. */
static int64_t retry_after_ms(of_call *call, const of_response *response) {
    of_text header = of_response_header(response, "retry-after");
    while (header.len > 0 && isspace((unsigned char)header.at[0])) header.at++, header.len--;
    while (header.len > 0 && isspace((unsigned char)header.at[header.len - 1])) header.len--;
    of_text text = of_format(call, "%.*s", OF_ARG(header));
    if (text.len == 0 || text.at[0] == '.' || strspn(text.at, "0123456789.") != text.len) return -1;
    char *end;
    double seconds = strtod(text.at, &end);
    return *end == 0 && seconds <= 1e9 ? (int64_t)(seconds * 1000) : -1;
}

static of_error *refused(of_call *call, const of_vendor *vendor, const of_request *request, const of_response *response) {
    of_text code = said(call, response->body, vendor->code), message = said(call, response->body, vendor->message);
    if (code.at == NULL) code = of_format(call, "%d", response->status);
    if (message.at == NULL) message = OF("no reason was given");
    message = capped(call, message);
    of_class class = class_of(response->status);
    of_error *error = of_fail(call, class, "", "%s answered %d: %.*s", vendor->name, response->status, OF_ARG(message));
    error->code = of_own(call, vendor, code);
    error->http_status = response->status;
    if (class == OF_RATE_LIMITED) {
        error->retry_after_ms = retry_after_ms(call, response);
        error->bucket = request->bucket;
    }
    return error;
}

of_error *of_send(of_call *call, const of_vendor *vendor, const of_request *request, of_response *response) {
    of_text why = OF("");
    switch (call->hub->send(call->hub, call, request, response, &why)) {
    case OF_ANSWERED:
        return response->status >= 200 && response->status < 300 ? NULL : refused(call, vendor, request, response);
    case OF_STOPPED: return of_fail(call, OF_CANCELLED, "cancelled", "the hub asked to stop");
    case OF_DENIED: return of_fail(call, OF_CONFIG, "http.denied", "%.*s", OF_ARG(why));
    case OF_TOO_LARGE: return of_fail(call, OF_PERMANENT, "http.too_large", "%.*s", OF_ARG(why));
    default: return of_fail(call, OF_TRANSIENT, "http.no_answer", "%s did not answer: %.*s", vendor->name, OF_ARG(why));
    }
}

of_error *of_fetch(of_call *call, const of_vendor *vendor, const of_request *request, of_text *json) {
    of_response response = {0};
    of_error *error = of_send(call, vendor, request, &response);
    if (error != NULL) return error;
    scan here = {response.body.at, response.body.at + response.body.len, false};
    *json = value(&here);
    if (!here.broken && peek(&here) < 0) return NULL;
    of_text code = of_own(call, vendor, OF("malformed_answer"));
    return of_fail(call, OF_TRANSIENT, code.at, "the answer is not the JSON that was expected");
}

/* ---- Records ---- */

bool of_next_line(of_chunk chunk, size_t *at, of_text *line) {
    while (*at < chunk.data.len) {
        const char *from = chunk.data.at + *at;
        const char *end = memchr(from, '\n', chunk.data.len - *at);
        size_t length = end == NULL ? chunk.data.len - *at : (size_t)(end - from);
        *at += length + 1;
        *line = (of_text){from, length};
        if (length > 0) return true;
    }
    return false;
}

/** JSON without the white space between its tokens. */
static void put_compact(of_buffer *buffer, of_text json) {
    char *end = reserve(buffer, json.len);
    scan here = {json.at, json.at + json.len, false};
    while (peek(&here) >= 0) {
        const char *from = here.at++;
        if (*from == '"') string_end(&here);
        memcpy(end, from, (size_t)(here.at - from));
        end += here.at - from;
    }
    buffer->len = (size_t)(end - buffer->at);
}

void of_push(of_rows *rows, of_text record) {
    bool broken = memchr(record.at, '\n', record.len) != NULL || memchr(record.at, '\r', record.len) != NULL;
    if (broken) put_compact(&rows->data, record);
    else of_put(&rows->data, record);
    of_put(&rows->data, OF("\n"));
    rows->count++;
}

typedef struct {
    scan here;
    of_buffer envelope;
    of_page *page;
    size_t room;
    int arrays;
} cutting;

static void cut_rows(cutting *cut) {
    of_put(&cut->envelope, OF("[]"));
    cut->arrays++;
    cut->here.at++;
    if (peek(&cut->here) == ']') {
        cut->here.at++;
        return;
    }
    do {
        of_text row = value(&cut->here);
        if (cut->page->count == cut->room) {
            size_t room = cut->room * 2 + 256;
            of_text *rows = of_alloc(cut->envelope.call, room * sizeof *rows);
            if (cut->page->count > 0) memcpy(rows, cut->page->rows, cut->page->count * sizeof *rows);
            cut->page->rows = rows;
            cut->room = room;
        }
        cut->page->rows[cut->page->count++] = row;
    } while (take(&cut->here, ",]") == ',');
}

static void cut_page(cutting *cut, const char *const *path) {
    int first = peek(&cut->here);
    if (*path == NULL && first == '[') {
        cut_rows(cut);
        return;
    }
    if (*path == NULL || first != '{') {
        of_put(&cut->envelope, value(&cut->here));
        return;
    }
    of_put(&cut->envelope, OF("{"));
    cut->here.at++;
    int next = peek(&cut->here) == '}' ? take(&cut->here, "}") : ',';
    while (next == ',') {
        of_text name = member(&cut->here);
        if (cut->here.broken) return;
        of_put(&cut->envelope, (of_text){name.at - 1, name.len + 2});
        of_put(&cut->envelope, OF(":"));
        if (of_is(name, *path)) cut_page(cut, path + 1);
        else of_put(&cut->envelope, value(&cut->here));
        next = take(&cut->here, ",}");
        if (next == ',') of_put(&cut->envelope, OF(","));
    }
    of_put(&cut->envelope, OF("}"));
}

of_error *of_cut(of_call *call, of_text body, const char *const *path, of_page *page) {
    *page = (of_page){0};
    cutting cut = {.here = {body.at, body.at + body.len, body.at == NULL}, .envelope = {.call = call}, .page = page};
    cut_page(&cut, path);
    page->envelope = of_text_of(&cut.envelope);
    if (cut.here.broken || peek(&cut.here) >= 0) {
        return of_fail(call, OF_TRANSIENT, "sdk.page", "the answer of %zu bytes is no whole JSON document; it went wrong near byte %zu",
                       body.len, (size_t)(cut.here.at - body.at));
    }
    if (cut.arrays == 1) return NULL;
    const char *last = "";
    while (*path != NULL) last = *path++;
    return of_fail(call, OF_TRANSIENT, "sdk.page", "the answer has no array `%s`", last);
}

/* ---- Gathering ---- */

/** A key that lies deeper in objects is compared as it is written. */
enum { DEEPEST = 8 };
/** Integers of at most so many digits are compared by all of their digits. */
enum { PLAIN_DIGITS = 40 };

/** One field of a delete: the names that lead to it, and its value in the form of `put_plain`. */
typedef struct {
    of_text names[DEEPEST + 1];
    size_t depth;
    of_text value;
} leaf;

typedef struct {
    leaf *leaves;
    size_t count, room;
} leaves;

/** Where the record with a key was upserted. */
typedef struct {
    of_text key;
    size_t at;
} upserted;

of_found of_found_of(of_call *call) {
    return (of_found){.upserts = {.data = {.call = call}}, .deletes = {.keys = {.data = {.call = call}}}};
}

void of_delete(of_found *found, of_text key) {
    of_deletes *deletes = &found->deletes;
    if (deletes->keys.count == deletes->room) {
        size_t room = deletes->room * 2 + 64;
        size_t *larger = of_alloc(deletes->keys.data.call, room * sizeof *larger);
        if (deletes->room > 0) memcpy(larger, deletes->upserts_before, deletes->room * sizeof *larger);
        deletes->upserts_before = larger;
        deletes->room = room;
    }
    deletes->upserts_before[deletes->keys.count] = found->upserts.data.len;
    of_push(&deletes->keys, key);
}

/** Steps through an object: begin with `here` at its start and `*first` true; false behind the last member. */
static bool next_member(of_call *call, scan *here, bool *first, of_text *name, of_text *one) {
    int mark = take(here, *first ? "{" : ",}");
    if (mark < 0 || mark == '}' || (*first && peek(here) == '}')) return false;
    *first = false;
    *name = member(here);
    *one = value(here);
    if (here->broken) return false;
    if (memchr(name->at, '\\', name->len) != NULL) *name = of_json_string(call, (of_text){name->at - 1, name->len + 2});
    return true;
}

static scan scan_of(of_text json) { return (scan){json.at, json.at + json.len, json.at == NULL}; }

/** A number by its digits, since 7, 7.0 and 70e-1 are equal, and large integers differ in their last digit. */
static void put_number(of_buffer *buffer, of_text number) {
    size_t plain = 0;
    while (plain < number.len && isdigit((unsigned char)number.at[plain])) plain++;
    if (plain == number.len && plain <= PLAIN_DIGITS) {
        of_put(buffer, number);
        return;
    }
    bool is_negative = number.at[0] == '-', is_fraction = false;
    char *digits = of_alloc(buffer->call, number.len);
    size_t at = is_negative, count = 0, fraction = 0;
    for (; at < number.len && (isdigit((unsigned char)number.at[at]) || number.at[at] == '.'); at++) {
        if (number.at[at] == '.') {
            is_fraction = true;
            continue;
        }
        fraction += is_fraction;
        if (count > 0 || number.at[at] != '0') digits[count++] = number.at[at];
    }
    of_text exponent = at < number.len ? (of_text){number.at + at + 1, number.len - at - 1} : OF("0");
    size_t plus = exponent.len > 0 && exponent.at[0] == '+';
    int64_t power = of_json_integer((of_text){exponent.at + plus, exponent.len - plus}, INT64_MIN);
    if (count == 0) {
        of_put(buffer, OF("0"));
    } else if (power == INT64_MIN || exponent.len > 9) {
        of_put(buffer, number);
    } else {
        power -= (int64_t)fraction;
        for (; digits[count - 1] == '0'; count--) power++;
        if (power >= 0 && count + (size_t)power <= PLAIN_DIGITS) {
            of_text sign = is_negative ? OF("-") : OF("");
            of_put(buffer, sign);
            of_put(buffer, (of_text){digits, count});
            for (; power > 0; power--) of_put(buffer, OF("0"));
            return;
        }
        of_put(buffer, of_format(buffer->call, "%s%.*se%lld", is_negative ? "-" : "", (int)count, digits, (long long)power));
    }
}

/** A value so that equal JSON values are equal texts. Arrays are compared as they are written. */
static void put_plain(of_buffer *buffer, of_text json) {
    if (json.at[0] == '"') {
        of_text text = of_json_string(buffer->call, json);
        /* Half a surrogate pair is not a character, so such a string stays as it is. */
        bool is_escaped = memchr(json.at, '\\', json.len) != NULL;
        for (size_t at = 0; is_escaped && at + 3 <= text.len; at++) {
            if (memcmp(text.at + at, "\xEF\xBF\xBD", 3) == 0) text = OF_NONE;
        }
        if (text.at != NULL) of_put_json(buffer, text);
        else of_put(buffer, json);
    } else if (json.at[0] == '-' || isdigit((unsigned char)json.at[0])) {
        put_number(buffer, json);
    } else {
        put_compact(buffer, json);
    }
}

/** Adds the fields of an object; false when it is broken. */
static bool add_leaves(of_call *call, of_text object, leaf path, leaves *into) {
    scan here = scan_of(object);
    bool first = true;
    of_text name, one, inner_name, inner;
    while (next_member(call, &here, &first, &name, &one)) {
        leaf next = path;
        next.names[next.depth++] = name;
        scan within = scan_of(one);
        bool begins = true;
        if (next.depth <= DEEPEST && next_member(call, &within, &begins, &inner_name, &inner)) {
            if (!add_leaves(call, one, next, into)) return false;
            continue;
        }
        if (into->count == into->room) {
            size_t room = into->room * 2 + 8;
            leaf *larger = of_alloc(call, room * sizeof *larger);
            if (into->count > 0) memcpy(larger, into->leaves, into->count * sizeof *larger);
            into->leaves = larger;
            into->room = room;
        }
        of_buffer plain = {.call = call};
        put_plain(&plain, one);
        next.value = of_text_of(&plain);
        into->leaves[into->count++] = next;
    }
    return !here.broken;
}

/** The value of a member; of equal names the first one counts. None when it is missing or the text is not an object. */
static of_text member_of(of_call *call, of_text object, of_text wanted) {
    scan here = scan_of(object);
    bool first = true;
    of_text name, one;
    while (next_member(call, &here, &first, &name, &one)) {
        int mark = peek(&here);
        if (of_equal(name, wanted)) return mark == ',' || mark == '}' ? one : OF_NONE;
    }
    return OF_NONE;
}

/** The key of a delete; none when it has none. */
static of_text key_of(of_call *call, const leaves *fields) {
    of_buffer key = {.call = call};
    for (size_t at = 0; at < fields->count; at++) {
        of_put(&key, fields->leaves[at].value);
        of_put(&key, OF(","));
    }
    return fields->count == 0 ? OF_NONE : of_text_of(&key);
}

/** The same fields of a record, in `key`; none when one is missing. */
static of_text same_fields(of_buffer *key, of_text record, const leaves *fields) {
    key->len = 0;
    for (size_t at = 0; at < fields->count; at++) {
        of_text here = record;
        for (size_t name = 0; name < fields->leaves[at].depth; name++) here = member_of(key->call, here, fields->leaves[at].names[name]);
        if (here.at == NULL) return OF_NONE;
        put_plain(key, here);
        of_put(key, OF(","));
    }
    return fields->count == 0 ? OF_NONE : of_text_of(key);
}

static int compare_keys(of_text one, of_text other) {
    size_t shorter = one.len < other.len ? one.len : other.len;
    int order = memcmp(one.at, other.at, shorter);
    return order != 0 ? order : (one.len > other.len) - (one.len < other.len);
}

static int compare_upserted(const void *one, const void *other) {
    const upserted *left = one, *right = other;
    int order = compare_keys(left->key, right->key);
    return order != 0 ? order : (left->at > right->at) - (left->at < right->at);
}

/** The keys of the records that came after the first delete, in order; gives how many there are. */
static size_t upserts_of(of_found *found, const leaves *fields, upserted **into) {
    of_call *call = found->upserts.data.call;
    of_chunk lines = {.data = of_text_of(&found->upserts.data)};
    size_t at = found->deletes.upserts_before[0], count = 0, before = at;
    *into = of_alloc(call, (found->upserts.count + 1) * sizeof **into);
    of_buffer scratch = {.call = call};
    of_text line;
    for (; count < found->upserts.count && of_next_line(lines, &at, &line); before = at) {
        of_text key = same_fields(&scratch, line, fields);
        if (key.at == NULL) continue;
        char *copy = of_alloc(call, key.len);
        memcpy(copy, key.at, key.len);
        (*into)[count++] = (upserted){{copy, key.len}, before};
    }
    qsort(*into, count, sizeof **into, compare_upserted);
    return count;
}

/** True when the record with the key was upserted at this place or behind it. */
static bool came_again(const upserted *known, size_t count, of_text key, size_t place) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(known[middle].key, key) <= 0) low = middle + 1;
        else high = middle;
    }
    return low > 0 && of_equal(known[low - 1].key, key) && known[low - 1].at >= place;
}

static bool same_paths(const leaves *one, const leaves *other) {
    if (one->count != other->count) return false;
    for (size_t at = 0; at < one->count; at++) {
        const leaf *left = &one->leaves[at], *right = &other->leaves[at];
        if (left->depth != right->depth) return false;
        for (size_t name = 0; name < left->depth; name++) {
            if (!of_equal(left->names[name], right->names[name])) return false;
        }
    }
    return true;
}

static of_rows still_deleted(of_found *found) {
    of_call *call = found->upserts.data.call;
    of_rows kept = {.data = {.call = call}};
    of_chunk keys = {.data = of_text_of(&found->deletes.keys.data)};
    leaves known = {0};
    upserted *upserts = NULL;
    size_t at = 0, count = 0;
    of_text line;
    for (size_t index = 0; index < found->deletes.keys.count && of_next_line(keys, &at, &line); index++) {
        leaves fields = {0};
        of_text key = add_leaves(call, line, (leaf){.depth = 0}, &fields) ? key_of(call, &fields) : OF_NONE;
        if (key.at != NULL && (upserts == NULL || !same_paths(&fields, &known))) {
            count = upserts_of(found, &fields, &upserts);
            known = fields;
        }
        bool again = key.at != NULL && came_again(upserts, count, key, found->deletes.upserts_before[index]);
        if (!again) of_push(&kept, line);
    }
    return kept;
}

void of_finish(of_found *found, of_text cursor, bool done, of_batch *batch) {
    of_deletes *deletes = &found->deletes;
    /* When no record came after a delete, no record has to be read. */
    bool is_settled = deletes->keys.count == 0 || deletes->upserts_before[0] >= found->upserts.data.len;
    of_rows kept = is_settled ? deletes->keys : still_deleted(found);
    *batch = (of_batch){
        .upserts = {found->upserts.count, of_text_of(&found->upserts.data)},
        .deletes = {kept.count, of_text_of(&kept.data)},
        .cursor = cursor.at == NULL ? OF("") : cursor,
        .done = done,
    };
}

/* ---- Paging ---- */

enum { SPARE_MS = 5000 };

/** Drops the rows that were added since; where they are kept may have moved. */
static void rewind_to(of_rows *rows, const of_rows *before) {
    rows->count = before->count;
    rows->data.len = before->data.len;
}

of_error *of_read_pages(of_call *call, const of_read_request *request, of_page_reader page, void *context, of_batch *batch) {
    of_found found = of_found_of(call);
    of_step step = {.cursor = request->cursor, .context = context};
    for (;;) {
        if (call->hub->cancelled(call->hub)) return of_fail(call, OF_CANCELLED, "cancelled", "the hub asked to stop");
        of_rows upserts = found.upserts, deletes = found.deletes.keys;
        of_text saved = step.cursor;
        uint32_t count = upserts.count + deletes.count;
        uint32_t room = count < request->max_records ? request->max_records - count : 1;
        of_error *error = page(call, &step, room, &found);
        if (error != NULL) {
            if (error->class == OF_CANCELLED || count == 0) return error;
            rewind_to(&found.upserts, &upserts);
            rewind_to(&found.deletes.keys, &deletes);
            of_finish(&found, saved, false, batch);
            return NULL;
        }
        size_t bytes = found.upserts.data.len + found.deletes.keys.data.len;
        size_t last_page = bytes - upserts.data.len - deletes.data.len;
        bool full = found.upserts.count + found.deletes.keys.count >= request->max_records || bytes + last_page + last_page / 4 > request->max_bytes;
        if (step.done || full || call->hub->remaining_ms(call->hub) < SPARE_MS) {
            of_finish(&found, step.cursor, step.done, batch);
            return NULL;
        }
    }
}

/* ---- Destinations ---- */

void of_reject(of_outcome *outcome, size_t index, of_text code, of_text message) {
    size_t count = outcome->count++;
    if ((count & (count - 1)) == 0) {
        /* Full at every power of two. */
        of_failure *larger = of_alloc(outcome->call, (count == 0 ? 1 : count * 2) * sizeof *larger);
        if (count > 0) memcpy(larger, outcome->failures, count * sizeof *larger);
        outcome->failures = larger;
    }
    while (count > 0 && outcome->failures[count - 1].index > index) {
        outcome->failures[count] = outcome->failures[count - 1];
        count--;
    }
    outcome->failures[count] = (of_failure){(uint32_t)index, false, code, message};
}

/** Keys are compared without ASCII case and white space around them. */
static of_text folded(of_call *call, of_text key) {
    while (key.len > 0 && isspace((unsigned char)*key.at)) key = (of_text){key.at + 1, key.len - 1};
    while (key.len > 0 && isspace((unsigned char)key.at[key.len - 1])) key.len--;
    char *at = of_alloc(call, key.len + 1);
    for (size_t place = 0; place < key.len; place++) at[place] = (char)tolower((unsigned char)key.at[place]);
    return (of_text){at, key.len};
}

size_t of_keyed(of_call *call, const of_vendor *vendor, const of_write_request *request, const char *field,
                of_keyed_row **rows, of_outcome *outcome) {
    size_t count = 0, at = 0, index = 0;
    *rows = of_alloc(call, request->rows.count * sizeof **rows);
    of_text *seen = of_alloc(call, request->rows.count * sizeof *seen);
    of_text line, pointer = of_format(call, "/%s", field);
    for (; count < request->rows.count && of_next_line(request->rows, &at, &line); index++) {
        of_text key = of_json_string(call, of_json_at(line, pointer.at));
        of_text compared = key.at == NULL ? OF_NONE : folded(call, key);
        bool known = false;
        for (size_t one = 0; one < count; one++) known |= of_equal(seen[one], compared);
        if (compared.len == 0) {
            of_text code = of_own(call, vendor, of_format(call, "no_%s", field));
            of_reject(outcome, index, code, of_format(call, "the row has no `%s`, by which rows are matched", field));
        } else if (known) {
            of_text message = of_format(call, "another row of the batch has the same `%s`", field);
            of_reject(outcome, index, of_own(call, vendor, OF("duplicate")), message);
        } else {
            seen[count] = compared;
            (*rows)[count++] = (of_keyed_row){index, key, line};
        }
    }
    return count;
}

of_text of_plain(const of_identifier *ids, size_t count, of_id_kind kind) {
    for (size_t at = 0; at < count; at++) {
        if (ids[at].kind == kind && !ids[at].hashed) return ids[at].value;
    }
    return OF_NONE;
}

size_t of_emails(of_call *call, const of_vendor *vendor, const of_audience_change *change, of_keyed_row **members,
                 of_outcome *outcome) {
    size_t count = 0;
    *members = of_alloc(call, change->count * sizeof **members);
    for (size_t index = 0; index < change->count; index++) {
        of_text email = of_plain(change->members[index].ids, change->members[index].count, OF_EMAIL);
        if (email.at != NULL) (*members)[count++] = (of_keyed_row){index, email, OF_NONE};
        else of_reject(outcome, index, of_own(call, vendor, OF("no_email")), OF("the member has no plain email, by which members are named"));
    }
    return count;
}
