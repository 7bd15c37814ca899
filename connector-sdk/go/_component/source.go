package export_onefold_connector_source

import (
	"onefold"
	project "the_connector"

	"wit_component/onefold_connector_source"
	"wit_component/onefold_connector_types"
	"wit_component/wire"

	"go.bytecodealliance.org/pkg/wit/runtime"
	"go.bytecodealliance.org/pkg/wit/types"
)

// Discover gives the streams.
func Discover(config string) types.Result[[]onefold_connector_source.StreamInfo, onefold_connector_types.Error] {
	runtime.Collect()
	streams, err := project.Connector.CallDiscover(wire.Hub{}, config)
	return wire.Answer(streams, err, func(streams []onefold.StreamInfo) []onefold_connector_source.StreamInfo {
		told := make([]onefold_connector_source.StreamInfo, 0, len(streams))
		for _, one := range streams {
			told = append(told, onefold_connector_source.StreamInfo(one))
		}
		return told
	})
}

// Split gives parts that can be read side by side.
func Split(config string, stream string, since types.Option[string]) types.Result[[]string, onefold_connector_types.Error] {
	runtime.Collect()
	parts, err := project.Connector.CallSplit(wire.Hub{}, config, stream, wire.Pointer(since))
	return wire.Answer(parts, err, func(parts []string) []string { return parts })
}

// Read gives the next batch.
func Read(req onefold_connector_source.ReadRequest) types.Result[onefold_connector_source.Batch, onefold_connector_types.Error] {
	runtime.Collect()
	request := onefold.ReadRequest{
		Stream:     req.Stream,
		Part:       req.Part,
		Since:      wire.Pointer(req.Since),
		Until:      wire.Pointer(req.Until),
		MaxRecords: req.MaxRecords,
		MaxBytes:   req.MaxBytes,
	}
	if cursor := wire.Pointer(req.Cursor); cursor != nil {
		// One that is there is not nil, however short it is.
		request.Cursor = append([]byte{}, *cursor...)
	}
	batch, err := project.Connector.CallRead(wire.Hub{}, req.Config, request)
	return wire.Answer(batch, err, func(batch onefold.Batch) onefold_connector_source.Batch {
		told := onefold_connector_source.Batch{Upserts: wire.Rows(batch.Upserts), Cursor: batch.Cursor, Done: batch.Done}
		if batch.Deletes != nil {
			told.Deletes = types.Some(wire.Rows(*batch.Deletes))
		}
		return told
	})
}
