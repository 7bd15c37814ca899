package connector

import (
	"errors"
	"slices"
	"testing"

	"onefold"
	"onefold/onefoldtest"
)

func TestRecordsArePassedOnAsTheyWereWrittenAndTombstonesAsDeletes(t *testing.T) {
	first := `{"contacts":[{"id":12345678901234567890,"score":1.10},{"id":2, "x":1e2}],"next":"a/1","more":true}`
	second := `{"contacts":[{"id":98765432109876543210,"deleted":true,"updated_at":"x"}],"next":"a2","more":false}`
	hub := onefoldtest.Script(t,
		onefoldtest.Line{Start: "GET https://desk.test/v1/contacts?limit=2", Answer: onefoldtest.JSON(200, first)},
		onefoldtest.Line{Start: "GET https://desk.test/v1/contacts?limit=2&after=a%2F1", Answer: onefoldtest.JSON(200, second)},
	)
	read := func(request onefold.ReadRequest) (onefold.Batch, error) {
		return Connector.CallRead(hub, config, request)
	}
	upserts, deletes, cursor := onefoldtest.ReadAll(t, onefoldtest.Whole("contacts"), read)
	if !slices.Equal(upserts, []string{`{"id":12345678901234567890,"score":1.10}`, `{"id":2, "x":1e2}`}) {
		t.Errorf("the records changed: %q", upserts)
	}
	if !slices.Equal(deletes, []string{`{"id":98765432109876543210}`}) {
		t.Errorf("the deletes are wrong: %q", deletes)
	}
	if cursor != `{"after":"a2"}` || hub.Sent[0].Credential != "token" {
		t.Errorf("the cursor is %s, the credential %q", cursor, hub.Sent[0].Credential)
	}
}

func TestARecordThatIsDeletedAndCreatedAgainIsThere(t *testing.T) {
	first := `{"tickets":[{"id":"T-1","deleted":true},{"id":"T-2","deleted":true}],"next":"a1","more":true}`
	second := `{"tickets":[{"id":"T-1","subject":"again"}],"next":"a2","more":false}`
	hub := onefoldtest.Script(t,
		onefoldtest.Line{Start: "GET https://desk.test/v1/tickets?limit=2", Answer: onefoldtest.JSON(200, first)},
		onefoldtest.Line{Start: "GET https://desk.test/v1/tickets?limit=2&after=a1", Answer: onefoldtest.JSON(200, second)},
	)
	read := func(request onefold.ReadRequest) (onefold.Batch, error) {
		return Connector.CallRead(hub, config, request)
	}
	upserts, deletes, _ := onefoldtest.ReadAll(t, onefoldtest.Whole("tickets"), read)
	if !slices.Equal(upserts, []string{`{"id":"T-1","subject":"again"}`}) || !slices.Equal(deletes, []string{`{"id":"T-2"}`}) {
		t.Errorf("there are %q and deleted %q", upserts, deletes)
	}
}

func TestACursorThatTheVendorNoLongerKnowsAsksForAFreshStart(t *testing.T) {
	gone := onefoldtest.JSON(410, `{"error":{"code":"cursor_expired","message":"too old"}}`)
	hub := onefoldtest.Script(t, onefoldtest.Line{Start: "GET https://desk.test/v1/tickets?limit=2&after=old", Answer: gone})
	_, err := Connector.CallRead(hub, config, onefoldtest.FromCursor("tickets", `{"after":"old"}`))
	var failure *onefold.Error
	if !errors.As(err, &failure) || failure.Class != onefold.ClassCursorExpired || failure.Code != "helpdesk.cursor_expired" {
		t.Errorf("got %v", err)
	}
}
