// Package connector is the connector: its documents, its parts, and a proof that they work.
package connector

import (
	_ "embed"

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

// check sends any request that a wrong credential makes fail; the hub adds the credential that Auth names.
func check(hub onefold.Hub, config Config) (onefold.CheckReport, error) {
	_, err := vendor.Send(hub, onefold.Get(config.at("/me")).Auth("token"))
	return onefold.CheckReport{}, err
}
