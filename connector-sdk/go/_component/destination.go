package export_onefold_connector_destination

import (
	"onefold"
	project "the_connector"

	"wit_component/onefold_connector_destination"
	"wit_component/onefold_connector_types"
	"wit_component/wire"

	"go.bytecodealliance.org/pkg/wit/runtime"
	"go.bytecodealliance.org/pkg/wit/types"
)

var modes = []onefold.Mode{onefold.ModeUpsert, onefold.ModeUpdateOnly, onefold.ModeCreateOnly, onefold.ModeDelete}

// Targets gives what can be written.
func Targets(config string) types.Result[[]onefold_connector_destination.Target, onefold_connector_types.Error] {
	runtime.Collect()
	targets, err := project.Connector.CallTargets(wire.Hub{}, config)
	return wire.Answer(targets, err, func(targets []onefold.TargetInfo) []onefold_connector_destination.Target {
		told := make([]onefold_connector_destination.Target, 0, len(targets))
		for _, one := range targets {
			target := onefold_connector_destination.Target{
				Name: one.Name, Title: one.Title, Schema: one.Schema, Keys: one.Keys, MaxBatch: one.MaxBatch,
			}
			for _, mode := range one.Modes {
				target.Modes = append(target.Modes, wire.Place(modes, mode))
			}
			told = append(told, target)
		}
		return told
	})
}

// Write writes rows.
func Write(req onefold_connector_destination.WriteRequest) types.Result[onefold_connector_destination.Outcome, onefold_connector_types.Error] {
	runtime.Collect()
	rows, err := wire.Chunk(req.Rows)
	if err != nil {
		return wire.Refused[onefold_connector_destination.Outcome](err)
	}
	given, err := project.Connector.CallWrite(wire.Hub{}, req.Config, onefold.WriteRequest{
		Target:         req.Target,
		Mode:           modes[req.Mode],
		Rows:           rows,
		IdempotencyKey: req.IdempotencyKey,
		Verify:         req.Verify,
	})
	return wire.Answer(given, err, outcome)
}

// Poll gives the outcome of a job, or none while it goes on.
func Poll(config string, job string) types.Result[types.Option[onefold_connector_destination.Outcome], onefold_connector_types.Error] {
	runtime.Collect()
	given, err := project.Connector.CallPoll(wire.Hub{}, config, job)
	return wire.Answer(given, err, func(given *onefold.Outcome) types.Option[onefold_connector_destination.Outcome] {
		if given == nil {
			return types.None[onefold_connector_destination.Outcome]()
		}
		return types.Some(outcome(*given))
	})
}

func outcome(given onefold.Outcome) onefold_connector_destination.Outcome {
	told := onefold_connector_destination.Outcome{Job: wire.Optional(given.Job)}
	for _, failure := range given.Failures {
		told.Failures = append(told.Failures, onefold_connector_destination.Failure(failure))
	}
	return told
}
