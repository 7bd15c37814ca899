// Package onefoldtest has a hub for tests: it answers requests by a function or a script, remembers what was asked and
// keeps a fixed clock. It runs without WebAssembly.
package onefoldtest

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"hash"
	"strings"
	"testing"

	"onefold"
)

// Hub is a hub that never leaves the process.
type Hub struct {
	// Sent are the requests so far.
	Sent []*onefold.Request
	// Logged are the messages so far.
	Logged []string

	t         testing.TB
	answer    func(*onefold.Request) (*onefold.Response, error)
	left      []Line
	keys      map[string][]byte
	cancelled bool
	nowMs     uint64
}

// Line is one line of a script.
type Line struct {
	// Start is what the request has to begin with, such as "GET https://…".
	Start  string
	Answer *onefold.Response
}

// New answers every request by a function, which may be a small vendor with a state of its own.
func New(t testing.TB, answer func(*onefold.Request) (*onefold.Response, error)) *Hub {
	return &Hub{t: t, answer: answer, keys: map[string][]byte{}, nowMs: 1_700_000_000_000}
}

// Script answers by a script: each request has to begin as the next line says, in that order. The test fails at the end
// when a line was never asked for.
func Script(t testing.TB, lines ...Line) *Hub {
	hub := New(t, nil)
	hub.left = lines
	hub.answer = hub.nextLine
	t.Cleanup(func() {
		if len(hub.left) > 0 {
			t.Errorf("%d lines of the script were never asked for", len(hub.left))
		}
	})
	return hub
}

func (h *Hub) nextLine(request *onefold.Request) (*onefold.Response, error) {
	h.t.Helper()
	asked := request.Method + " " + request.URL
	if len(h.left) == 0 {
		h.t.Fatalf("the script is over, but `%s` came", asked)
	}
	line := h.left[0]
	h.left = h.left[1:]
	if !strings.HasPrefix(asked, line.Start) {
		h.t.Fatalf("expected `%s`, got `%s`", line.Start, asked)
	}
	return line.Answer, nil
}

// Key sets a key for Mac.
func (h *Hub) Key(credential string, key []byte) *Hub {
	h.keys[credential] = key
	return h
}

// Cancel asks to stop.
func (h *Hub) Cancel() *Hub {
	h.cancelled = true
	return h
}

// SetNowMs sets the clock, in milliseconds since 1970 UTC.
func (h *Hub) SetNowMs(nowMs uint64) {
	h.nowMs = nowMs
}

// Bodies gives the JSON bodies of the requests that had one.
func (h *Hub) Bodies() []string {
	var bodies []string
	for _, request := range h.Sent {
		if len(request.Body) > 0 {
			bodies = append(bodies, string(request.Body))
		}
	}
	return bodies
}

// Send remembers the request and answers it.
func (h *Hub) Send(request *onefold.Request) (*onefold.Response, error) {
	h.t.Helper()
	h.Sent = append(h.Sent, request)
	return h.answer(request)
}

// Log remembers the message.
func (h *Hub) Log(_ onefold.Level, message, _ string) {
	h.Logged = append(h.Logged, message)
}

// Cancelled is true after Cancel.
func (h *Hub) Cancelled() bool {
	return h.cancelled
}

// RemainingMs is always one minute.
func (h *Hub) RemainingMs() uint64 {
	return 60_000
}

// NowMs is what SetNowMs set, or a moment of 2023.
func (h *Hub) NowMs() uint64 {
	return h.nowMs
}

// Progress does nothing.
func (h *Hub) Progress(uint64, *uint64, *string) {}

// Count does nothing.
func (h *Hub) Count(string, uint64) {}

// Mac signs with a key of Key.
func (h *Hub) Mac(credential string, algorithm onefold.MacAlgorithm, data []byte) ([]byte, error) {
	key, known := h.keys[credential]
	if !known {
		return nil, fmt.Errorf("no credential `%s`", credential)
	}
	digests := map[onefold.MacAlgorithm]func() hash.Hash{
		onefold.MacSHA1: sha1.New, onefold.MacSHA256: sha256.New, onefold.MacSHA512: sha512.New,
	}
	digest, known := digests[algorithm]
	if !known {
		return nil, fmt.Errorf("no algorithm `%s`", algorithm)
	}
	mac := hmac.New(digest, key)
	mac.Write(data)
	return mac.Sum(nil), nil
}

// SHA256 gives the digest.
func (h *Hub) SHA256(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

// JSON is an answer with a JSON body; a string is taken as it is, and what cannot be printed is the body's error text.
func JSON(status uint16, body any, headers ...onefold.Header) *onefold.Response {
	return &onefold.Response{Status: status, Headers: headers, Body: printed(body)}
}

// Chunk has rows for a write; a string is taken as it is.
func Chunk(rows ...any) onefold.Chunk {
	chunk := onefold.Chunk{Count: uint32(len(rows))}
	for _, row := range rows {
		chunk.Data = append(append(chunk.Data, printed(row)...), '\n')
	}
	return chunk
}

func printed(value any) []byte {
	if text, ok := value.(string); ok {
		return []byte(text)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

// Whole is a request for the whole of a stream, with bounds of 1000 records and 16 MiB.
func Whole(stream string) onefold.ReadRequest {
	return onefold.ReadRequest{Stream: stream, MaxRecords: 1_000, MaxBytes: 1 << 24}
}

// FromCursor is a request that goes on from a cursor.
func FromCursor(stream, cursor string) onefold.ReadRequest {
	return Whole(stream).At([]byte(cursor))
}

// ReadAll calls read until it is done and gives the rows, the deletes and the last cursor. The test fails when read does,
// or when the stream has not ended after 10000 batches.
func ReadAll(
	t testing.TB, request onefold.ReadRequest, read func(onefold.ReadRequest) (onefold.Batch, error),
) (upserts, deletes []string, cursor string) {
	t.Helper()
	for range 10_000 {
		batch, err := read(request)
		if err != nil {
			t.Fatal(err)
		}
		upserts = append(upserts, lines(t, batch.Upserts)...)
		if batch.Deletes != nil {
			deletes = append(deletes, lines(t, *batch.Deletes)...)
		}
		if batch.Done {
			return upserts, deletes, string(batch.Cursor)
		}
		request = request.At(batch.Cursor)
	}
	t.Fatal("the stream never ends")
	return nil, nil, ""
}

func lines(t testing.TB, chunk onefold.Chunk) []string {
	t.Helper()
	var found []string
	for _, line := range chunk.Lines() {
		found = append(found, string(line))
	}
	if len(found) != int(chunk.Count) {
		t.Fatalf("a chunk says %d lines and has %d", chunk.Count, len(found))
	}
	return found
}
