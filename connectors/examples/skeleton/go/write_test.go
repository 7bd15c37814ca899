package connector

import (
	"slices"
	"testing"

	"onefold"
	"onefold/onefoldtest"
)

func TestRowsAreSentAndOneWithoutAKeyIsAFailure(t *testing.T) {
	line := onefoldtest.Line{Start: "POST https://api.test/people", Answer: onefoldtest.JSON(200, `{}`)}
	hub := onefoldtest.Script(t, line)
	rows := onefoldtest.Chunk(`{"name": "Nobody"}`, `{"email": "a@x.test"}`)
	request := onefold.WriteRequest{Target: "people", Mode: onefold.ModeUpsert, Rows: rows, IdempotencyKey: "k1"}
	outcome, err := Connector.CallWrite(hub, config, request)
	if err != nil || len(outcome.Failures) != 1 || outcome.Failures[0].Index != 0 {
		t.Errorf("got %+v, %v", outcome, err)
	}
	if !slices.Equal(hub.Bodies(), []string{`{"people":[{"email": "a@x.test"}]}`}) {
		t.Errorf("sent %q", hub.Bodies())
	}
}
