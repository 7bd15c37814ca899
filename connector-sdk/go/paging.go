package onefold

import (
	"encoding/json"
	"errors"
	"strings"
)

// spareMs is in milliseconds: with less left, the loop starts no further page.
const spareMs = 5_000

// Step says where to go on after a page.
type Step[K any] struct {
	cursor K
	done   bool
}

// More says that there is more to read, from the cursor on.
func More[K any](cursor K) Step[K] {
	return Step[K]{cursor, false}
}

// Done says that there is nothing more for now; the next run starts at the cursor.
func Done[K any](cursor K) Step[K] {
	return Step[K]{cursor, true}
}

// PageFunc fetches one page from a cursor on, of at most room records, adds its rows to found and says where to go on.
type PageFunc[K any] func(cursor K, room int, found *Found) (Step[K], error)

// ReadPages reads pages until the request's bounds are reached or a step is Done. The cursor is the connector's own
// value, kept as JSON; start is where a first read begins. At least one page is read. A failure after the first page
// gives what is there: the next call meets the failure again, and nothing is read twice. A cursor that cannot be read
// fails with ClassCursorExpired, code sdk.cursor.
func ReadPages[K any](hub Hub, request ReadRequest, start K, page PageFunc[K]) (Batch, error) {
	cursor, err := firstCursor(request, start)
	if err != nil {
		return Batch{}, err
	}
	var found Found
	for {
		if hub.Cancelled() {
			return Batch{}, Cancelled()
		}
		saved, err := encodeCursor(cursor)
		if err != nil {
			return Batch{}, err
		}
		before := found
		room := max(int(request.MaxRecords)-found.Count(), 1)
		step, err := page(cursor, room, &found)
		if err != nil && (before.Count() == 0 || !canKeep(err)) {
			return Batch{}, err
		}
		if err != nil {
			return before.Finish(saved, false), nil
		}
		cursor = step.cursor
		lastPage := found.Bytes() - before.Bytes()
		full := found.Count() >= int(request.MaxRecords) ||
			int64(found.Bytes())+int64(lastPage)+int64(lastPage/4) > int64(request.MaxBytes)
		if step.done || full || hub.RemainingMs() < spareMs {
			saved, err = encodeCursor(cursor)
			return found.Finish(saved, step.done), err
		}
	}
}

func firstCursor[K any](request ReadRequest, start K) (K, error) {
	if request.Cursor == nil {
		return start, nil
	}
	var cursor K
	if err := json.Unmarshal(request.Cursor, &cursor); err != nil {
		message := "the cursor was written by another version of the connector: " + err.Error()
		return cursor, CursorExpired("sdk.cursor", message)
	}
	return cursor, nil
}

func encodeCursor(cursor any) ([]byte, error) {
	text, err := JSON(cursor)
	if err != nil {
		return nil, PermanentError("sdk.cursor", err.Error())
	}
	return text, nil
}

// canKeep is true for the failures after which the pages before them are worth giving.
func canKeep(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Class != ClassCancelled
}

// NextCursor gives the next cursor of a vendor that gives one; an empty text is none.
func NextCursor(given *string) *string {
	if given == nil || *given == "" {
		return nil
	}
	return given
}

// NextPage gives the next page of a vendor that counts pages and says nothing: a full page may have a successor. False
// when there is none.
func NextPage(page, rows, limit int) (int, bool) {
	return page + 1, rows > 0 && rows >= limit
}

// NextOffset gives the next offset: up to a total when the vendor gives one, else (nil) while pages are full. False when
// there is none.
func NextOffset(offset, rows, limit int, total *int) (int, bool) {
	following := offset + rows
	more := rows >= limit
	if total != nil {
		more = following < *total
	}
	return following, rows > 0 && more
}

// NextAfter gives the last row's id, for vendors that say has_more and page by it, and nil when there is no more.
func NextAfter(hasMore bool, lastID *string) *string {
	if !hasMore {
		return nil
	}
	return lastID
}

// NextLink gives the next address of the Link headers (RFC 8288); false when there is none.
func NextLink(response *Response) (string, bool) {
	var links []string
	for _, header := range response.Headers {
		if strings.EqualFold(header.Name, "link") {
			links = append(links, string(header.Value))
		}
	}
	rest := strings.Join(links, ",")
	for {
		_, link, found := strings.Cut(rest, "<")
		url, parameters, closed := strings.Cut(link, ">")
		if !found || !closed {
			return "", false
		}
		end := strings.IndexByte(parameters, '<')
		if end < 0 {
			end = len(parameters)
		}
		if isNext(parameters[:end]) {
			return url, true
		}
		rest = parameters[end:]
	}
}

func isNext(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		value = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(value), ","))
		relations := strings.Split(strings.ToLower(strings.Trim(value, `"`)), " ")
		for _, relation := range relations {
			if relation == "next" && strings.EqualFold(strings.TrimSpace(name), "rel") {
				return true
			}
		}
	}
	return false
}
