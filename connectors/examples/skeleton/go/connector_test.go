package connector

import (
	"testing"

	"onefold/onefoldtest"
)

const config = `{"base_url": "https://api.test"}`

func TestACheckSendsTheCredential(t *testing.T) {
	me := onefoldtest.JSON(200, `{}`)
	hub := onefoldtest.Script(t, onefoldtest.Line{Start: "GET https://api.test/me", Answer: me})
	if _, err := Connector.CallCheck(hub, config); err != nil || hub.Sent[0].Credential != "token" {
		t.Errorf("got %v, sent %+v", err, hub.Sent)
	}
}
