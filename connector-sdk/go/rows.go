package onefold

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// KeyedRow is a row of a write.
type KeyedRow struct {
	// Index is its place in the request, from 0.
	Index uint32
	// Key is as it was given; Folded compares.
	Key string
	// Fields are the others, each as it was written.
	Fields map[string]json.RawMessage
	// Line is the row as it was given, with its key.
	Line []byte
}

// Folded is a key for comparing: without case and white space around it.
func Folded(key string) string {
	// The one letter whose small form is longer than itself.
	return strings.ToLower(strings.ReplaceAll(trimmed(key), "İ", "i̇"))
}

func trimmed(text string) string {
	return strings.TrimFunc(text, func(c rune) bool { return unicode.IsSpace(c) || c >= 0x1c && c <= 0x1f })
}

// Keyed gives the rows with a key of their own, and failures for those without a key or with another row's.
func Keyed(vendor Vendor, request WriteRequest, field string) ([]KeyedRow, []Failure) {
	var rows []KeyedRow
	var failures []Failure
	seen := map[string]bool{}
	for place, line := range request.Rows.Lines() {
		index := uint32(place)
		fields := object(line)
		key, ok := stringOf(fields[field])
		switch {
		case !ok || trimmed(key) == "":
			message := "the row has no `" + field + "`, by which rows are matched"
			failures = append(failures, Rejected(index, vendor.Own("no_"+field), message))
		case seen[Folded(key)]:
			message := "another row of the batch has the same `" + field + "`"
			failures = append(failures, Rejected(index, vendor.Own("duplicate"), message))
		default:
			seen[Folded(key)] = true
			delete(fields, field)
			rows = append(rows, KeyedRow{index, key, fields, line})
		}
	}
	return rows, failures
}

// object gives the fields of an object, and none for anything else: a line with what no program reads could not be sent
// on, and costs its row, and no other of the request.
func object(line []byte) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if !utf8.Valid(line) || json.Unmarshal(line, &fields) != nil || !bytes.Equal(withoutNoNumbers(line), line) {
		return nil
	}
	return fields
}

// stringOf reads a JSON string.
func stringOf(value json.RawMessage) (string, bool) {
	var read *string
	if value == nil || json.Unmarshal(value, &read) != nil || read == nil {
		return "", false
	}
	return *read, true
}

// MemberEmail is a member that is named by an email.
type MemberEmail struct {
	// Index is the member's place in the change, from 0.
	Index uint32
	Email string
}

// Emails gives the members with a plain email, and failures for those without.
func Emails(vendor Vendor, change AudienceChange) ([]MemberEmail, []Failure) {
	var found []MemberEmail
	var failures []Failure
	for place, member := range change.Members {
		index := uint32(place)
		if email, ok := FindPlain(member.IDs, KindEmail); ok {
			found = append(found, MemberEmail{index, email})
			continue
		}
		const message = "the member has no plain email, by which members are named"
		failures = append(failures, Rejected(index, vendor.Own("no_email"), message))
	}
	return found, failures
}
