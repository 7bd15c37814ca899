package export_onefold_connector_audience

import (
	"onefold"
	project "the_connector"

	"wit_component/onefold_connector_audience"
	"wit_component/onefold_connector_types"
	"wit_component/wire"

	"go.bytecodealliance.org/pkg/wit/runtime"
	"go.bytecodealliance.org/pkg/wit/types"
)

type page = types.Tuple2[[]onefold_connector_audience.AudienceRef, types.Option[string]]

// ListAudiences gives one page of audiences and the token of the next.
func ListAudiences(config string, token types.Option[string]) types.Result[page, onefold_connector_types.Error] {
	runtime.Collect()
	audiences, next, err := project.Connector.CallListAudiences(wire.Hub{}, config, wire.Pointer(token))
	return wire.Answer(audiences, err, func(audiences []onefold.AudienceRef) page {
		told := page{F1: wire.Optional(next)}
		for _, one := range audiences {
			told.F0 = append(told.F0, reference(one))
		}
		return told
	})
}

// Create gives the audience of that name, making it when there is none.
func Create(config string, name string, options types.Option[string]) types.Result[onefold_connector_audience.AudienceRef, onefold_connector_types.Error] {
	runtime.Collect()
	given, err := project.Connector.CallCreate(wire.Hub{}, config, name, wire.Pointer(options))
	return wire.Answer(given, err, reference)
}

// Add adds members.
func Add(change onefold_connector_audience.Change) types.Result[onefold_connector_audience.Outcome, onefold_connector_types.Error] {
	runtime.Collect()
	given, err := project.Connector.CallAdd(wire.Hub{}, change.Config, changed(change))
	return wire.Answer(given, err, outcome)
}

// Remove removes members.
func Remove(change onefold_connector_audience.Change) types.Result[onefold_connector_audience.Outcome, onefold_connector_types.Error] {
	runtime.Collect()
	given, err := project.Connector.CallRemove(wire.Hub{}, change.Config, changed(change))
	return wire.Answer(given, err, outcome)
}

// Poll gives the outcome of a job, or none while it goes on.
func Poll(config string, job string) types.Result[types.Option[onefold_connector_audience.Outcome], onefold_connector_types.Error] {
	runtime.Collect()
	given, err := project.Connector.CallPollAudience(wire.Hub{}, config, job)
	return wire.Answer(given, err, func(given *onefold.Outcome) types.Option[onefold_connector_audience.Outcome] {
		if given == nil {
			return types.None[onefold_connector_audience.Outcome]()
		}
		return types.Some(outcome(*given))
	})
}

func reference(one onefold.AudienceRef) onefold_connector_audience.AudienceRef {
	return onefold_connector_audience.AudienceRef{Id: one.ID, Name: one.Name, Size: wire.Optional(one.Size)}
}

func changed(change onefold_connector_audience.Change) onefold.AudienceChange {
	members := make([]onefold.Member, 0, len(change.Members))
	for _, member := range change.Members {
		members = append(members, onefold.Member{IDs: wire.Identifiers(member.Ids), Traits: wire.Pointer(member.Traits)})
	}
	return onefold.AudienceChange{
		Audience:       change.Audience,
		Members:        members,
		IdempotencyKey: change.IdempotencyKey,
		Verify:         change.Verify,
	}
}

func outcome(given onefold.Outcome) onefold_connector_audience.Outcome {
	told := onefold_connector_audience.Outcome{Job: wire.Optional(given.Job)}
	for _, failure := range given.Failures {
		told.Failures = append(told.Failures, onefold_connector_audience.Failure(failure))
	}
	return told
}
