// Package connector is the help desk: contacts and tickets in, contacts out, audiences as tags, erasure. Transport,
// retries and credentials are the hub's.
package connector

import (
	_ "embed"
	"slices"

	"onefold"
)

//go:embed manifest.json
var manifest string

//go:embed config.schema.json
var configSchema string

// Connector is what the build compiles.
var Connector = onefold.Connector[Config]{
	Manifest:     manifest,
	ConfigSchema: configSchema,
	Check:        check,

	Read: read,

	Write:         write,
	ListAudiences: listAudiences,
	Create:        create,
	Add:           add,
	Remove:        remove,
	EraseSubject:  eraseSubject,
}

// check proves that the documents and the token work.
func check(hub onefold.Hub, config Config) (onefold.CheckReport, error) {
	var me struct {
		Account *string  `json:"account"`
		Scopes  []string `json:"scopes"`
	}
	if err := vendor.Fetch(hub, onefold.Get(config.at("/v1/me")).Auth("token"), &me); err != nil {
		return onefold.CheckReport{}, err
	}
	report := onefold.CheckReport{Account: me.Account}
	if !slices.Contains(me.Scopes, "write") {
		report.Warnings = []string{"the token may read but not write"}
	}
	return report, nil
}
