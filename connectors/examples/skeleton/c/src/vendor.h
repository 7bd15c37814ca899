/* What every part needs of the vendor: its words for errors, the configuration, where it is. */
#ifndef VENDOR_H
#define VENDOR_H

#include "onefold.h"

/** A field for each property of `config.schema.json`. */
typedef struct {
    of_text base_url;
} settings;

extern const of_vendor vendor;

/** A request with the credential, which the hub adds. */
of_request get(of_call *call, const settings *config, const char *path);
of_request post(of_call *call, const settings *config, of_text path, of_text json);

/* What `connector.c` puts into its table, by the file that has it. */

of_error *read_stream(of_call *, const void *config, const of_read_request *, of_batch *);

of_error *write_rows(of_call *, const void *config, const of_write_request *, of_outcome *);

of_error *list_audiences(of_call *, const void *config, of_text page, of_audience_ref **, size_t *count, of_text *next);
of_error *create_audience(of_call *, const void *config, of_text name, of_text options, of_audience_ref *);
of_error *add_members(of_call *, const void *config, const of_audience_change *, of_outcome *);
of_error *remove_members(of_call *, const void *config, const of_audience_change *, of_outcome *);
of_error *erase_person(of_call *, const void *config, const of_identifier *, size_t count, of_text request_id, of_erasure *);

#endif
