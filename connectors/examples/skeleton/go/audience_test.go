package connector

import (
	"slices"
	"testing"

	"onefold"
	"onefold/onefoldtest"
)

func TestMembersAreAddedByTheirAddress(t *testing.T) {
	line := onefoldtest.Line{Start: "POST https://api.test/lists/l1/add", Answer: onefoldtest.JSON(200, `{}`)}
	hub := onefoldtest.Script(t, line)
	member := onefold.Member{IDs: []onefold.Identifier{onefold.EmailID("a@x.test")}}
	change := onefold.AudienceChange{Audience: "l1", Members: []onefold.Member{member}, IdempotencyKey: "k"}
	outcome, err := Connector.CallAdd(hub, config, change)
	if err != nil || len(outcome.Failures) != 0 || !slices.Equal(hub.Bodies(), []string{`{"emails":["a@x.test"]}`}) {
		t.Errorf("got %+v, %v, sent %q", outcome, err, hub.Bodies())
	}
}
