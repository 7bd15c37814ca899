package connector

import (
	"bytes"
	"slices"

	"onefold"
)

// write writes the targets of manifest.json in the modes that they have there.
func write(hub onefold.Hub, config Config, request onefold.WriteRequest) (onefold.Outcome, error) {
	if request.Target != "people" {
		return onefold.Outcome{}, onefold.Unknown("target", request.Target)
	}
	if request.Mode != onefold.ModeUpsert {
		return onefold.Outcome{}, onefold.ConfigError("helpdesk.mode", "people are only upserted")
	}
	rows, failures := onefold.Keyed(vendor, request, "email")
	if len(rows) == 0 {
		return onefold.NewOutcome(failures), nil
	}
	var lines [][]byte
	for _, row := range rows {
		lines = append(lines, row.Line)
	}
	body := slices.Concat([]byte(`{"people":[`), bytes.Join(lines, []byte{','}), []byte("]}"))
	// Repeatable where a repetition changes nothing: the hub then tries again by itself.
	_, err := vendor.Send(hub, onefold.Post(config.at("/people")).JSONBytes(body).Auth("token").Repeatable())
	// Add onefold.Rejected(row.Index, code, message) for each row that the vendor does not take.
	return onefold.NewOutcome(failures), err
}
