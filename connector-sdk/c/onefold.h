/*
 * Write Onefold connectors in C. A connector is one `of_connector`, named `connector`: its two documents and functions
 * over a call. `component.c` turns it into the exports of a WebAssembly component; the same functions run natively over
 * the scripted hub of `onefold_test.h`. The SDK owns configuration, error classes, paging and the cutting of records out
 * of pages. It knows no vendor.
 *
 * A function that can fail gives an `of_error *`, NULL when it worked. Everything that the SDK allocates for a call
 * belongs to the call and is freed behind it; a connector frees nothing.
 */
#ifndef ONEFOLD_H
#define ONEFOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Text and memory ---- */

/** Bytes with a length, not ended by a zero. `at` is NULL when there is no text at all, which is not the empty text. */
typedef struct {
    const char *at;
    size_t len;
} of_text;

/** A text from a literal. */
#define OF(literal) ((of_text){("" literal), sizeof(literal) - 1})
/** No text. */
#define OF_NONE ((of_text){NULL, 0})
/** For `%.*s`. */
#define OF_ARG(text) (int)(text).len, (text).at

typedef struct of_hub of_hub;
typedef struct of_block of_block;

/** One call of the contract: the hub behind it and the memory that it uses. */
typedef struct {
    of_hub *hub;
    of_block *blocks;
} of_call;

/** Zeroed memory that lives as long as the call. */
void *of_alloc(of_call *call, size_t bytes);
/** Frees all memory of the call. */
void of_end(of_call *call);
of_text of_from(const char *zero_ended);
bool of_equal(of_text one, of_text other);
bool of_is(of_text text, const char *zero_ended);
/** As `printf`. */
of_text of_format(of_call *call, const char *format, ...);

/** Bytes that grow. Begin with `{.call = call}`. */
typedef struct {
    of_call *call;
    char *at;
    size_t len;
    size_t room;
} of_buffer;

void of_put(of_buffer *buffer, of_text text);
/** The text as a JSON string, quotes included. */
void of_put_json(of_buffer *buffer, of_text text);
of_text of_text_of(const of_buffer *buffer);

/* ---- Errors ---- */

/** Sorted by what the hub does next. */
typedef enum {
    OF_CONFIG,         /**< The operator must change the configuration. */
    OF_AUTH,           /**< The credential was refused. */
    OF_PERMISSION,     /**< The credential is good but lacks a right. */
    OF_RATE_LIMITED,   /**< Wait, then call again. */
    OF_TRANSIENT,      /**< The same call may work later. */
    OF_PERMANENT,      /**< The same call will never work. */
    OF_CURSOR_EXPIRED, /**< Read the stream from its start. */
    OF_CANCELLED,      /**< The hub asked to stop. */
    OF_OTHER
} of_class;

typedef struct {
    of_class class;
    of_text code;    /**< Stable, in the connector's own words, such as `hubspot.VALIDATION_ERROR`. */
    of_text message;
    int http_status; /**< 0 when the vendor did not answer. */
    of_text data;    /**< More facts as JSON. */
    int64_t retry_after_ms; /**< -1 when the vendor did not say. */
    of_text bucket;
} of_error;

of_error *of_fail(of_call *call, of_class class, const char *code, const char *format, ...);
/** An unknown stream, target or the like. */
of_error *of_unknown(of_call *call, const char *kind, of_text name);

/* ---- JSON, read in place ---- */

/** The value at a JSON pointer such as `/error/code`, as it was written; none when there is none or the text is no JSON. */
of_text of_json_at(of_text json, const char *pointer);
/** The text of a JSON string; none when it is no string. */
of_text of_json_string(of_call *call, of_text json);
bool of_json_is(of_text json, const char *word);
/** A whole number; `otherwise` when it is none. */
int64_t of_json_integer(of_text json, int64_t otherwise);
/** Steps through an array: begin with `*at` 0; false behind the last element. */
bool of_json_next(of_text array, size_t *at, of_text *element);

/* ---- Configuration ---- */

typedef struct {
    of_call *call;
    of_text json;
    of_error *error;
    const char *known[32];
    int count;
} of_config;

/** A text; `otherwise` holds when it is missing, and with NULL it is required. */
of_text of_config_text(of_config *config, const char *key, const char *otherwise);
/** A whole number. */
int64_t of_config_integer(of_config *config, const char *key, int64_t otherwise);
bool of_config_boolean(of_config *config, const char *key, bool otherwise);
/** The first problem: a wrong type, a missing key, or one that was never asked for. */
of_error *of_config_end(of_config *config);

/* ---- The hub ---- */

typedef struct {
    of_text name;
    of_text value;
} of_header;

typedef struct {
    of_text method;
    of_text url;
    of_header headers[16];
    size_t header_count;
    of_text body;       /**< None for no body. */
    of_text credential; /**< A credential that the hub adds, by name. */
    of_text bucket;     /**< The rate bucket to wait for. */
    uint32_t timeout_ms;
    bool idempotent;    /**< The hub may send it again after a network error, a 429 or a 5xx. */
    of_call *call;
} of_request;

typedef struct {
    int status;
    of_header *headers;
    size_t header_count;
    of_text body;
} of_response;

/** Why no answer came. */
typedef enum { OF_ANSWERED, OF_DENIED, OF_DNS, OF_CONNECT, OF_TLS, OF_TIMEOUT, OF_TOO_LARGE, OF_STOPPED, OF_BROKEN } of_http;

typedef enum { OF_TRACE, OF_DEBUG, OF_INFO, OF_WARN, OF_ERROR } of_level;
typedef enum { OF_HMAC_SHA1, OF_HMAC_SHA256, OF_HMAC_SHA512 } of_mac_algorithm;

/** Everything that a connector can reach. */
struct of_hub {
    /** `said` explains anything but OF_ANSWERED. */
    of_http (*send)(of_hub *, of_call *, const of_request *, of_response *response, of_text *said);
    /** `fields` is a small JSON object, or none. */
    void (*log)(of_hub *, of_level, of_text message, of_text fields);
    /** True once the run should stop at the next safe point. */
    bool (*cancelled)(of_hub *);
    /** Milliseconds until the hub interrupts this call. */
    uint64_t (*remaining_ms)(of_hub *);
    /** Milliseconds since 1970 UTC. */
    uint64_t (*now_ms)(of_hub *);
    void (*count)(of_hub *, of_text metric, uint64_t by);
    /** A signature with a key that only the hub holds; none when there is no such key. */
    of_text (*mac)(of_hub *, of_call *, of_text credential, of_mac_algorithm, of_text data);
};

void of_log(of_call *call, of_level level, const char *format, ...);

/* ---- Requests and what their answers mean ---- */

/** Repeatable, as a GET is. */
of_request of_get(of_call *call, of_text url);
of_request of_post(of_call *call, of_text url);
void of_query(of_request *request, const char *name, of_text value);
void of_query_integer(of_request *request, const char *name, int64_t value);
void of_set_header(of_request *request, const char *name, of_text value);
/** A body that is JSON. */
void of_json_body(of_request *request, of_text json);
/** Percent-encoding for one part of a path or a query: everything but letters, digits and `-._~`. */
of_text of_encode(of_call *call, of_text text);
/** A base address without the slash at its end. */
of_text of_base(of_text url);
/** A header by its name in any case; none when there is none. */
of_text of_response_header(const of_response *response, const char *name);

/** How a vendor writes its errors: where the code and the message stand, as JSON pointers, best first, up to a NULL. */
typedef struct {
    const char *name; /**< Put before each code. */
    const char *code[4];
    const char *message[4];
} of_vendor;

/** Sends, and turns everything but a 2xx into an error. */
of_error *of_send(of_call *call, const of_vendor *vendor, const of_request *request, of_response *response);
/** Sends, and gives the body, which is JSON. */
of_error *of_fetch(of_call *call, const of_vendor *vendor, const of_request *request, of_text *json);
/** A code with the vendor's name before it. */
of_text of_own(of_call *call, const of_vendor *vendor, of_text code);

/* ---- Records ---- */

/** JSON lines: one object a line, `\n` after each. */
typedef struct {
    uint32_t count;
    of_text data;
} of_chunk;

/** Steps through the lines: begin with `*at` 0; false behind the last. */
bool of_next_line(of_chunk chunk, size_t *at, of_text *line);

/** Records as JSON lines. Begin with `{.data = {.call = call}}`. */
typedef struct {
    of_buffer data;
    uint32_t count;
} of_rows;

/** A record as it was written, without its line breaks. */
void of_push(of_rows *rows, of_text record);

/** A page cut into its records and the rest. */
typedef struct {
    of_text *rows;
    size_t count;
    of_text envelope; /**< What surrounds the rows. The array itself reads as empty. */
} of_page;

/**
 * Cuts the array at a path of object keys, ended by a NULL; an empty path means that the page is the array itself. Fails
 * with OF_TRANSIENT when the array is missing or the page is cut short or garbage: next time it may be whole.
 */
of_error *of_cut(of_call *call, of_text body, const char *const *path, of_page *page);

/* ---- Paging ---- */

typedef struct {
    of_text stream;
    of_text part;
    of_text cursor; /**< None on a first or full read. */
    of_text since;
    of_text until;
    uint32_t max_records;
    uint32_t max_bytes;
} of_read_request;

/**
 * What one read returns. The hub applies the upserts before the deletes, so a key that is in both is deleted; see
 * `of_found`. Between batches it keeps the order.
 */
typedef struct {
    of_chunk upserts;
    of_chunk deletes; /**< Objects with the primary key fields only. */
    of_text cursor;   /**< Where the next batch begins. The hub commits it together with the rows, or not at all. */
    bool done;        /**< Nothing more to read for now. */
} of_batch;

/** Deleted records; filled by `of_delete`. */
typedef struct {
    of_rows keys;
    size_t *upserts_before; /**< For each of them where the upserts ended when it came, in bytes. */
    size_t room;
} of_deletes;

/**
 * The rows of the pages read so far. Add records to `upserts` with `of_push`, and call `of_delete` for each deleted
 * record, in the order in which the vendor reports them. Within one batch upserts count before deletes, so `of_finish`
 * drops the delete of a record that was added after it: deleted, then created again. Begin with `of_found_of`.
 */
typedef struct {
    of_rows upserts;
    of_deletes deletes;
} of_found;

/** An empty one. `of_read_pages` makes its own. */
of_found of_found_of(of_call *call);
/** A deleted record: a JSON object with its primary key fields only. */
void of_delete(of_found *found, of_text key);
/** The batch; `of_read_pages` calls it. The next batch begins at the cursor. */
void of_finish(of_found *found, of_text cursor, bool done, of_batch *batch);

/** Where one page begins and what it leaves behind. */
typedef struct {
    of_text cursor; /**< In: where to go on, none at the start. Out: where the next page begins. */
    bool done;      /**< Nothing more for now; the next run starts at the cursor. */
    void *context;
} of_step;

typedef of_error *(*of_page_reader)(of_call *call, of_step *step, uint32_t room, of_found *found);

/**
 * Reads pages until the request's bounds are reached or a step is done. `page` fetches one page of at most `room`
 * records, adds its rows and says where to go on. At least one page is read. A failure after the first page returns what
 * is there: the next call meets the failure again, and nothing is read twice.
 */
of_error *of_read_pages(of_call *call, const of_read_request *request, of_page_reader page, void *context, of_batch *batch);

/* ---- Destinations ---- */

typedef enum { OF_UPSERT, OF_UPDATE_ONLY, OF_CREATE_ONLY, OF_DELETE } of_mode;

typedef struct {
    of_text target;
    of_mode mode;
    of_chunk rows;
    of_text idempotency_key;
    bool verify; /**< An earlier try ended without an answer: look first. */
} of_write_request;

/** A row that the vendor did not take. */
typedef struct {
    uint32_t index;
    bool retryable;
    of_text code;
    of_text message;
} of_failure;

/** Rows that are not named succeeded. */
typedef struct {
    of_failure *failures;
    size_t count;
    of_text job;
    of_call *call;
} of_outcome;

/** A row that will not do better on another try. */
void of_reject(of_outcome *outcome, size_t index, of_text code, of_text message);

/** A row of a write, or a member of an audience: its place in the request, its key and the row as it was given. */
typedef struct {
    size_t index;
    of_text key;
    of_text line;
} of_keyed_row;

/** The rows with a key of their own; those without one or with another row's become failures. Gives how many there are. */
size_t of_keyed(of_call *call, const of_vendor *vendor, const of_write_request *request, const char *field,
                of_keyed_row **rows, of_outcome *outcome);

typedef enum { OF_EMAIL, OF_PHONE, OF_EXTERNAL_ID, OF_DEVICE, OF_ADDRESS } of_id_kind;

typedef struct {
    of_id_kind kind;
    bool hashed; /**< SHA-256 in hexadecimal instead of plain. */
    of_text value;
} of_identifier;

/** The first plain identifier of a kind; none when there is none. */
of_text of_plain(const of_identifier *ids, size_t count, of_id_kind kind);

typedef struct {
    of_identifier *ids;
    size_t count;
    of_text traits;
} of_member;

typedef struct {
    of_text id;
    of_text name;
    int64_t size; /**< -1 when it is not known. */
} of_audience_ref;

typedef struct {
    of_text audience;
    of_member *members;
    size_t count;
    of_text idempotency_key;
    bool verify;
} of_audience_change;

/** The members with a plain email; the others become failures. */
size_t of_emails(of_call *call, const of_vendor *vendor, const of_audience_change *change, of_keyed_row **members,
                 of_outcome *outcome);

typedef enum { OF_DONE, OF_PENDING, OF_NOT_FOUND, OF_MANUAL } of_erasure_status;

typedef struct {
    of_erasure_status status;
    uint64_t records; /**< How many were erased. */
    of_text text;     /**< A job, or what somebody has to do by hand. */
    of_text evidence; /**< JSON for the audit log. */
} of_erasure;

/* ---- What a connector implements ---- */

typedef struct {
    of_text account; /**< The account's name or id at the vendor. */
    of_text warnings[8];
    size_t warning_count;
} of_check_report;

/** Functions that the connector's world does not have stay NULL, and `write` where it takes audiences only. `config` is what
 * `configure` filled. */
typedef struct {
    size_t config_size;
    of_error *(*configure)(of_config *from, void *config);
    of_error *(*check)(of_call *, const void *config, of_check_report *);
    of_error *(*read)(of_call *, const void *config, const of_read_request *, of_batch *);
    of_error *(*write)(of_call *, const void *config, const of_write_request *, of_outcome *);
    of_error *(*list_audiences)(of_call *, const void *config, of_text page, of_audience_ref **, size_t *count, of_text *next);
    of_error *(*create)(of_call *, const void *config, of_text name, of_text options, of_audience_ref *);
    of_error *(*add)(of_call *, const void *config, const of_audience_change *, of_outcome *);
    of_error *(*remove)(of_call *, const void *config, const of_audience_change *, of_outcome *);
    of_error *(*erase_subject)(of_call *, const void *config, const of_identifier *, size_t count, of_text request_id, of_erasure *);
} of_connector;

/** The one connector of the program, by the project. */
extern const of_connector connector;

/** Reads the configuration from JSON into what the connector's functions get. */
of_error *of_configure(of_call *call, of_text json, void **config);

#endif
