package connector

import (
	"slices"
	"testing"

	"onefold"
	"onefold/onefoldtest"
)

func TestRowsThatTheVendorRefusesAreNamedAndThoseWithoutAKeyAreNotSent(t *testing.T) {
	results := `{"results":[{"status":"created","id":1},{"status":"error","code":"invalid_email","message":"no"}]}`
	line := onefoldtest.Line{Start: "POST https://desk.test/v1/contacts/upsert", Answer: onefoldtest.JSON(200, results)}
	hub := onefoldtest.Script(t, line)
	rows := onefoldtest.Chunk(`{"name": "Nobody"}`, `{"email": "a@x.test"}`, `{"email": "b"}`)
	request := onefold.WriteRequest{Target: "contacts", Mode: onefold.ModeUpsert, Rows: rows, IdempotencyKey: "k1"}
	outcome, err := Connector.CallWrite(hub, config, request)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(codes(outcome), []string{"0 helpdesk.no_email", "2 helpdesk.invalid_email"}) {
		t.Errorf("the failures are %q", codes(outcome))
	}
	if !slices.Equal(hub.Bodies(), []string{`{"contacts":[{"email": "a@x.test"},{"email": "b"}]}`}) {
		t.Errorf("sent %q", hub.Bodies())
	}
}
