package connector

import (
	"errors"
	"fmt"
	"slices"

	"onefold"
)

// maxMembers is the most members that the vendor takes at once.
const maxMembers = 100

// result is what became of one row.
type result struct {
	Status  string `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// send sends rows and gives those that the vendor did not take. It gives one answer a row, in the rows' order; places
// are the rows' places in the hub's request.
func send(hub onefold.Hub, request *onefold.Request, places []uint32) ([]onefold.Failure, error) {
	var answer struct {
		Results []result `json:"results"`
	}
	if err := vendor.Fetch(hub, request, &answer); err != nil {
		return nil, err
	}
	if len(answer.Results) != len(places) {
		message := fmt.Sprintf("%d rows were sent, and the answer is about %d", len(places), len(answer.Results))
		return nil, onefold.TransientError(vendor.Own("malformed_answer"), message)
	}
	var failures []onefold.Failure
	for at, one := range answer.Results {
		if one.Status != "error" {
			continue
		}
		message := one.Message
		if message == "" {
			message = one.Code
		}
		failures = append(failures, onefold.Rejected(places[at], vendor.Own(one.Code), message))
	}
	return failures, nil
}

// tag is an audience in the vendor's words.
type tag struct {
	ID   string  `json:"id"`
	Name string  `json:"name"`
	Size *uint64 `json:"size"`
}

func (t tag) audience() onefold.AudienceRef {
	return onefold.AudienceRef{ID: t.ID, Name: t.Name, Size: t.Size}
}

// listAudiences gives one page of tags.
func listAudiences(hub onefold.Hub, config Config, page *string) ([]onefold.AudienceRef, *string, error) {
	request := onefold.Get(config.at("/v1/tags")).Auth("token")
	if page != nil {
		request.Query("after", *page)
	}
	var answer struct {
		Tags []tag   `json:"tags"`
		Next *string `json:"next"`
	}
	if err := vendor.Fetch(hub, request, &answer); err != nil {
		return nil, nil, err
	}
	var audiences []onefold.AudienceRef
	for _, one := range answer.Tags {
		audiences = append(audiences, one.audience())
	}
	return audiences, answer.Next, nil
}

// create makes a tag. The vendor gives the tag of that name when there is one.
func create(hub onefold.Hub, config Config, name string, _ *string) (onefold.AudienceRef, error) {
	body := map[string]string{"name": name}
	request := onefold.Post(config.at("/v1/tags")).JSON(body).Auth("token").Repeatable()
	var made tag
	err := vendor.Fetch(hub, request, &made)
	return made.audience(), err
}

// add tags contacts.
func add(hub onefold.Hub, config Config, change onefold.AudienceChange) (onefold.Outcome, error) {
	return members(hub, config, change, "add")
}

// remove takes the tag from contacts.
func remove(hub onefold.Hub, config Config, change onefold.AudienceChange) (onefold.Outcome, error) {
	return members(hub, config, change, "remove")
}

// members adds or removes. Adding somebody who is there, or removing somebody who is not, is no failure, so a try can be
// repeated.
func members(hub onefold.Hub, config Config, change onefold.AudienceChange, verb string) (onefold.Outcome, error) {
	found, failures := onefold.Emails(vendor, change)
	url := config.at("/v1/tags/" + onefold.Encode(change.Audience) + "/members")
	for some := range slices.Chunk(found, maxMembers) {
		var emails []string
		var places []uint32
		for _, member := range some {
			emails, places = append(emails, member.Email), append(places, member.Index)
		}
		body := map[string][]string{verb: emails}
		refused, err := send(hub, onefold.Post(url).JSON(body).Auth("token").Repeatable(), places)
		if err != nil {
			return onefold.Outcome{}, err
		}
		failures = append(failures, refused...)
	}
	return onefold.NewOutcome(failures), nil
}

// evidence is what the audit log keeps of an erasure.
type evidence struct {
	Erased    uint64 `json:"erased"`
	RequestID string `json:"request_id"`
}

// eraseSubject erases the contact with a person's email.
func eraseSubject(hub onefold.Hub, config Config, ids []onefold.Identifier, requestID string) (onefold.Erasure, error) {
	email, known := onefold.FindPlain(ids, onefold.KindEmail)
	if !known {
		const todo = "contacts are found by a plain email only"
		return onefold.Erasure{Status: onefold.ErasureManual, Text: todo}, nil
	}
	body := map[string]string{"email": email}
	var answer struct {
		Erased *uint64 `json:"erased"`
	}
	err := vendor.Fetch(hub, onefold.Post(config.at("/v1/contacts/erase")).JSON(body).Auth("token"), &answer)
	var failure *onefold.Error
	switch {
	case errors.As(err, &failure) && failure.HTTPStatus == 404:
		return onefold.Erasure{Status: onefold.ErasureNotFound}, nil
	case err != nil:
		return onefold.Erasure{}, err
	case answer.Erased == nil:
		return onefold.Erasure{}, vendor.Malformed("missing field `erased`")
	}
	proof, err := onefold.JSON(evidence{*answer.Erased, requestID})
	erasure := onefold.Erasure{Status: onefold.ErasureDone, Erased: *answer.Erased, Evidence: onefold.Ptr(string(proof))}
	return erasure, err
}
