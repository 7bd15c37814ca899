package connector

import (
	"slices"
	"strings"
	"testing"

	"onefold"
	"onefold/onefoldtest"
)

func TestEveryPageIsRead(t *testing.T) {
	const start = "GET https://api.test/people?limit="
	hub := onefoldtest.Script(t,
		onefoldtest.Line{Start: start, Answer: onefoldtest.JSON(200, `{"people":[{"id":"1"}],"next":"p2"}`)},
		onefoldtest.Line{Start: start, Answer: onefoldtest.JSON(200, `{"people":[{"id":"2"}],"next":null}`)},
	)
	read := func(request onefold.ReadRequest) (onefold.Batch, error) {
		return Connector.CallRead(hub, config, request)
	}
	upserts, _, _ := onefoldtest.ReadAll(t, onefoldtest.Whole("people"), read)
	if !slices.Equal(upserts, []string{`{"id":"1"}`, `{"id":"2"}`}) || !strings.Contains(hub.Sent[1].URL, "after=p2") {
		t.Errorf("read %q, sent %+v", upserts, hub.Sent)
	}
}
