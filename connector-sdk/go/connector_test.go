package onefold_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"onefold"
	"onefold/onefoldtest"
)

type settings struct {
	List string   `json:"list"`
	Size int      `json:"size" default:"7"`
	Mode string   `json:"mode" enum:"a,b" default:"a"`
	Tags []string `json:"tags" default:"[\"x\"]"`
	Note *string  `json:"note"`
}

func TestAConfigurationNamesTheKeyThatIsWrong(t *testing.T) {
	read, err := onefold.ParseConfig[settings](`{"list": "x"}`)
	must(t, err)
	equal(t, read, settings{List: "x", Size: 7, Mode: "a", Tags: []string{"x"}})
	_, err = onefold.ParseConfig[settings](`{"list":"x","note":null,"size":-2,"mode":"b","tags":[]}`)
	must(t, err)
	const in = "in the configuration: "
	wrong := map[string]string{
		"":                                in + "missing field `list`",
		"[]":                              in + "an object was expected",
		`{"list": "x", "size": "many"}`:   "`config.size`: \"many\" is not an integer",
		`{"list": "x", "size": true}`:     "`config.size`: true is not an integer",
		`{"list": "x", "size": 1.0}`:      "`config.size`: 1.0 is not an integer",
		`{"list": "x", "size": null}`:     "`config.size`: null is not an integer",
		`{"list": {"é":[1,2]}}`:           "`config.list`: {\"\\u00e9\": [1, 2]} is not a string",
		`{"list": "x", "sise": 1}`:        in + "unknown field `sise`, expected one of `list`, `size`, `mode`, `tags`, `note`",
		`{"list": "x", "mode": "c"}`:      "`config.mode`: \"c\" is not one of a, b",
		`{"list": "x", "tags": [null]}`:   "`config.tags`: [null] is not a list, each a string",
		`{"List": "x"}`:                   in + "unknown field `List`, expected one of `list`, `size`, `mode`, `tags`, `note`",
		`{"list": 1, "list": "x", "z":1}`: in + "unknown field `z`, expected one of `list`, `size`, `mode`, `tags`, `note`",
	}
	for text, message := range wrong {
		_, err := onefold.ParseConfig[settings](text)
		failure := fails(t, err, onefold.ClassConfig)
		equal(t, failure.Code, "config.invalid")
		equal(t, failure.Message, message)
	}
	_, err = onefold.ParseConfig[settings]("{")
	fails(t, err, onefold.ClassConfig)
}

func TestRowsWithoutAKeyOrWithAnotherRowsAreFailures(t *testing.T) {
	rows := onefoldtest.Chunk(`{"email": "A@x "}`, `{"email": "a@X"}`, `{"n": 1}`, `{"email": " "}`, `{"email": "b", "n": 1.0}`)
	request := onefold.WriteRequest{Target: "t", Mode: onefold.ModeUpsert, Rows: rows, IdempotencyKey: "k"}
	kept, failures := onefold.Keyed(acme, request, "email")
	wanted := []onefold.KeyedRow{
		{Index: 0, Key: "A@x ", Fields: map[string]json.RawMessage{}, Line: []byte(`{"email": "A@x "}`)},
		{Index: 4, Key: "b", Fields: map[string]json.RawMessage{"n": []byte("1.0")}, Line: []byte(`{"email": "b", "n": 1.0}`)},
	}
	equal(t, kept, wanted)
	codes := []string{}
	for _, one := range failures {
		codes = append(codes, fmt.Sprint(one.Index, " ", one.Code))
	}
	equal(t, codes, []string{"1 acme.duplicate", "2 acme.no_email", "3 acme.no_email"})
	slices.Reverse(failures)
	twice := append(failures, onefold.Rejected(2, "later", "again"))
	outcome := onefold.NewOutcome(twice)
	equal(t, len(outcome.Failures), 3)
	equal(t, outcome.Failures[1].Code, "acme.no_email")
}

func TestWhatAConnectorDoesNotSayIsInItsManifestOrFails(t *testing.T) {
	manifest := `{"streams":[{"name":"a","title":"A","schema":{"z":1,"a":[true,"é"]},"primary_key":["id"]}],
		"targets":[{"name":"b","title":"B","schema":{},"modes":["upsert"],"keys":["k"],"max_batch":5}]}`
	connector := onefold.Connector[struct{}]{Manifest: manifest}
	hub := nobody(t)
	streams, err := connector.CallDiscover(hub, "")
	must(t, err)
	stream := onefold.StreamInfo{Name: "a", Title: "A", PrimaryKey: []string{"id"}, DataClasses: "{}"}
	stream.Schema = `{"z": 1, "a": [true, "\u00e9"]}`
	equal(t, streams, []onefold.StreamInfo{stream})
	targets, err := connector.CallTargets(hub, "{}")
	must(t, err)
	target := onefold.TargetInfo{Name: "b", Title: "B", Schema: "{}", Keys: []string{"k"}, MaxBatch: 5}
	target.Modes = []onefold.Mode{onefold.ModeUpsert}
	equal(t, targets, []onefold.TargetInfo{target})
	parts, err := connector.CallSplit(hub, "", "a", nil)
	must(t, err)
	equal(t, parts, []string{""})
	outcome, err := connector.CallPoll(hub, "", "job")
	must(t, err)
	equal(t, outcome, &onefold.Outcome{})
	erasure, err := connector.CallPollErasure(hub, "", "job")
	must(t, err)
	equal(t, erasure.Status, onefold.ErasureNotFound)
	_, err = connector.CallRead(hub, "", onefoldtest.Whole("a"))
	equal(t, fails(t, err, onefold.ClassPermanent).Code, "connector.cannot")
	_, err = connector.CallDiscover(hub, `{"a":1}`)
	fails(t, err, onefold.ClassConfig)
	connector.Check = func(onefold.Hub, struct{}) (onefold.CheckReport, error) {
		return onefold.CheckReport{}, errors.New("odd")
	}
	_, err = connector.CallCheck(hub, "")
	equal(t, fails(t, err, onefold.ClassOther).Error(), "connector.error: odd")
}
