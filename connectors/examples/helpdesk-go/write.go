package connector

import (
	"bytes"
	"slices"

	"onefold"
)

// write upserts contacts. The vendor gives a repeated key its first answer again, so a batch without an answer is simply
// sent once more.
func write(hub onefold.Hub, config Config, request onefold.WriteRequest) (onefold.Outcome, error) {
	if request.Target != "contacts" {
		return onefold.Outcome{}, onefold.Unknown("target", request.Target)
	}
	if request.Mode != onefold.ModeUpsert {
		return onefold.Outcome{}, onefold.ConfigError("helpdesk.mode", "contacts are only upserted")
	}
	rows, failures := onefold.Keyed(vendor, request, "email")
	if len(rows) == 0 {
		return onefold.NewOutcome(failures), nil
	}
	var lines [][]byte
	var places []uint32
	for _, row := range rows {
		lines, places = append(lines, row.Line), append(places, row.Index)
	}
	body := slices.Concat([]byte(`{"contacts":[`), bytes.Join(lines, []byte{','}), []byte("]}"))
	upsert := onefold.Post(config.at("/v1/contacts/upsert")).JSONBytes(body).Auth("token").Repeatable()
	upsert.Header("Idempotency-Key", request.IdempotencyKey)
	refused, err := send(hub, upsert, places)
	return onefold.NewOutcome(append(failures, refused...)), err
}
