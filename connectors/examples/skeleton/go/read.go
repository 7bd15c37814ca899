package connector

import "onefold"

// cursor is where a page begins.
type cursor struct {
	After *string `json:"after"`
}

// read reads the streams of manifest.json.
func read(hub onefold.Hub, config Config, request onefold.ReadRequest) (onefold.Batch, error) {
	if request.Stream != "people" {
		return onefold.Batch{}, onefold.Unknown("stream", request.Stream)
	}
	// One page, from where the last one ended; room is how many records are still wanted.
	readPage := func(from cursor, room int, found *onefold.Found) (onefold.Step[cursor], error) {
		asked := onefold.Get(config.at("/people")).QueryInt("limit", room).Auth("token")
		if from.After != nil {
			asked.Query("after", *from.After)
		}
		answer, err := vendor.Send(hub, asked)
		if err != nil {
			return onefold.Step[cursor]{}, err
		}
		page, err := onefold.Cut(answer.Body, "people")
		if err != nil {
			return onefold.Step[cursor]{}, err
		}
		page.AppendTo(&found.Upserts)
		// Where the next page begins: another place than this one's. Without one, the next run begins here again.
		var rest struct {
			Next *string `json:"next"`
		}
		if err := page.Envelope(&rest); err != nil {
			return onefold.Step[cursor]{}, err
		}
		if rest.Next == nil {
			return onefold.Done(from), nil
		}
		return onefold.More(cursor{rest.Next}), nil
	}
	return onefold.ReadPages(hub, request, cursor{}, readPage)
}
