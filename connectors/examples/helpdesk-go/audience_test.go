package connector

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"onefold"
	"onefold/onefoldtest"
)

func codes(outcome onefold.Outcome) []string {
	var codes []string
	for _, failure := range outcome.Failures {
		codes = append(codes, fmt.Sprint(failure.Index, " ", failure.Code))
	}
	return codes
}

func TestMembersAreSentAHundredAtATime(t *testing.T) {
	var members []onefold.Member
	for n := range 101 {
		id := onefold.EmailID(fmt.Sprintf("p%d@x.test", n))
		members = append(members, onefold.Member{IDs: []onefold.Identifier{id}})
	}
	added := `{"results":[` + strings.Repeat(`{"status":"added"},`, 99) + `{"status":"added"}]}`
	refused := `{"results":[{"status":"error","code":"unknown_contact"}]}`
	const start = "POST https://desk.test/v1/tags/t%201/members"
	hub := onefoldtest.Script(t,
		onefoldtest.Line{Start: start, Answer: onefoldtest.JSON(200, added)},
		onefoldtest.Line{Start: start, Answer: onefoldtest.JSON(200, refused)},
	)
	change := onefold.AudienceChange{Audience: "t 1", Members: members, IdempotencyKey: "k"}
	outcome, err := Connector.CallAdd(hub, config, change)
	if err != nil || !slices.Equal(codes(outcome), []string{"100 helpdesk.unknown_contact"}) {
		t.Errorf("got %q, %v", codes(outcome), err)
	}
}

func TestErasingSomebodyWhoIsNotThereIsNoFailure(t *testing.T) {
	const start = "POST https://desk.test/v1/contacts/erase"
	hub := onefoldtest.Script(t,
		onefoldtest.Line{Start: start, Answer: onefoldtest.JSON(200, `{"erased":1}`)},
		onefoldtest.Line{Start: start, Answer: onefoldtest.JSON(404, `{"error":{"code":"not_found"}}`)},
	)
	ids := []onefold.Identifier{onefold.EmailID("a@x.test")}
	done, err := Connector.CallEraseSubject(hub, config, ids, "r1")
	if err != nil || done.Status != onefold.ErasureDone || *done.Evidence != `{"erased":1,"request_id":"r1"}` {
		t.Errorf("got %+v, %v", done, err)
	}
	gone, err := Connector.CallEraseSubject(hub, config, ids, "r2")
	if err != nil || gone != (onefold.Erasure{Status: onefold.ErasureNotFound}) {
		t.Errorf("got %+v, %v", gone, err)
	}
}
