package connector

import (
	"errors"

	"onefold"
)

// cursor is where the next page begins: what the vendor called next.
type cursor struct {
	After *string `json:"after"`
}

// envelope is what surrounds the records of a page.
type envelope struct {
	Next *string `json:"next"`
	More *bool   `json:"more"`
}

// read reads contacts and tickets.
func read(hub onefold.Hub, config Config, request onefold.ReadRequest) (onefold.Batch, error) {
	stream := request.Stream
	if stream != "contacts" && stream != "tickets" {
		return onefold.Batch{}, onefold.Unknown("stream", stream)
	}
	page := func(from cursor, room int, found *onefold.Found) (onefold.Step[cursor], error) {
		asked := onefold.Get(config.at("/v1/"+stream)).QueryInt("limit", min(room, config.PageSize)).Auth("token")
		if from.After != nil {
			asked.Query("after", *from.After)
		}
		rest, err := readPage(hub, asked, stream, found)
		if err != nil {
			return onefold.Step[cursor]{}, err
		}
		following := cursor{rest.Next}
		if *rest.More {
			return onefold.More(following), nil
		}
		return onefold.Done(following), nil
	}
	return onefold.ReadPages(hub, request, cursor{}, page)
}

// readPage adds the records of one page. A deleted record comes as a tombstone; of it only the key is passed on.
func readPage(hub onefold.Hub, asked *onefold.Request, stream string, found *onefold.Found) (envelope, error) {
	var rest envelope
	answer, err := vendor.Send(hub, asked)
	if err != nil {
		return rest, lostPlace(err)
	}
	page, err := onefold.Cut(answer.Body, stream)
	if err != nil {
		return rest, err
	}
	for _, row := range page.Rows {
		deleted, _ := row.Raw("deleted")
		id, there := row.Raw("id")
		// A row without an id is the hub's to set aside.
		if string(deleted) != "true" || !there {
			found.Upserts.PushRaw(row)
			continue
		}
		found.DeleteBytes([]byte(`{"id":` + string(id) + `}`))
	}
	if err := page.Envelope(&rest); err != nil {
		return rest, err
	}
	if rest.More == nil {
		return rest, onefold.TransientError("sdk.page", "the answer has another shape: missing field `more`")
	}
	return rest, nil
}

// lostPlace makes of a 410 what it means: the vendor no longer knows where the last run ended.
func lostPlace(err error) error {
	var failure *onefold.Error
	if errors.As(err, &failure) && failure.HTTPStatus == 410 {
		return failure.WithClass(onefold.ClassCursorExpired)
	}
	return err
}
