package export_onefold_connector_privacy

import (
	"onefold"
	project "the_connector"

	"wit_component/onefold_connector_privacy"
	"wit_component/onefold_connector_types"
	"wit_component/wire"

	"go.bytecodealliance.org/pkg/wit/runtime"
	"go.bytecodealliance.org/pkg/wit/types"
)

type told = types.Tuple2[onefold_connector_privacy.Status, types.Option[string]]

// EraseSubject erases one person at the vendor.
func EraseSubject(config string, ids []onefold_connector_types.Identifier, requestID string) types.Result[told, onefold_connector_types.Error] {
	runtime.Collect()
	given, err := project.Connector.CallEraseSubject(wire.Hub{}, config, wire.Identifiers(ids), requestID)
	return wire.Answer(given, err, erasure)
}

// PollErasure tells how a job stands.
func PollErasure(config string, job string) types.Result[told, onefold_connector_types.Error] {
	runtime.Collect()
	given, err := project.Connector.CallPollErasure(wire.Hub{}, config, job)
	return wire.Answer(given, err, erasure)
}

func erasure(given onefold.Erasure) told {
	status := onefold_connector_privacy.MakeStatusNotFound()
	switch given.Status {
	case onefold.ErasureDone:
		status = onefold_connector_privacy.MakeStatusDone(given.Erased)
	case onefold.ErasurePending:
		status = onefold_connector_privacy.MakeStatusPending(given.Text)
	case onefold.ErasureManual:
		status = onefold_connector_privacy.MakeStatusManual(given.Text)
	}
	return told{F0: status, F1: wire.Optional(given.Evidence)}
}
