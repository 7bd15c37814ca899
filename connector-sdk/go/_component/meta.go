package export_onefold_connector_meta

import (
	"onefold"
	project "the_connector"

	"wit_component/onefold_connector_meta"
	"wit_component/onefold_connector_types"
	"wit_component/wire"

	"go.bytecodealliance.org/pkg/wit/runtime"
	"go.bytecodealliance.org/pkg/wit/types"
)

// Manifest gives the project's own.
func Manifest() string {
	return project.Connector.Manifest
}

// ConfigSchema gives the project's own.
func ConfigSchema() string {
	return project.Connector.ConfigSchema
}

// Check calls the vendor once.
func Check(config string) types.Result[onefold_connector_meta.CheckReport, onefold_connector_types.Error] {
	runtime.Collect()
	report, err := project.Connector.CallCheck(wire.Hub{}, config)
	return wire.Answer(report, err, func(report onefold.CheckReport) onefold_connector_meta.CheckReport {
		return onefold_connector_meta.CheckReport{Account: wire.Optional(report.Account), Warnings: report.Warnings}
	})
}
