package connector

import (
	"slices"
	"testing"

	"onefold/onefoldtest"
)

const config = `{"base_url": "https://desk.test/", "page_size": 2}`

func TestACheckNamesTheAccountAndWarnsOfATokenThatOnlyReads(t *testing.T) {
	me := onefoldtest.JSON(200, `{"account":"Acme","scopes":["read"]}`)
	hub := onefoldtest.Script(t, onefoldtest.Line{Start: "GET https://desk.test/v1/me", Answer: me})
	report, err := Connector.CallCheck(hub, config)
	if err != nil || *report.Account != "Acme" || !slices.Equal(report.Warnings, []string{"the token may read but not write"}) {
		t.Errorf("got %+v, %v", report, err)
	}
}
