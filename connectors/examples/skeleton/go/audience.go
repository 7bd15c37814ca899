package connector

import (
	"errors"

	"onefold"
)

// list is an audience in the vendor's words.
type list struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (l list) audience() onefold.AudienceRef {
	return onefold.AudienceRef{ID: l.ID, Name: l.Name}
}

// listAudiences gives one page of lists; the second value is the next page.
func listAudiences(hub onefold.Hub, config Config, page *string) ([]onefold.AudienceRef, *string, error) {
	var found struct {
		Lists []list `json:"lists"`
	}
	err := vendor.Fetch(hub, onefold.Get(config.at("/lists")).Auth("token"), &found)
	var audiences []onefold.AudienceRef
	for _, one := range found.Lists {
		audiences = append(audiences, one.audience())
	}
	return audiences, nil, err
}

// create gives the list of that name, made only when there is none.
func create(hub onefold.Hub, config Config, name string, _ *string) (onefold.AudienceRef, error) {
	body := map[string]string{"name": name}
	var made list
	err := vendor.Fetch(hub, onefold.Post(config.at("/lists")).JSON(body).Auth("token").Repeatable(), &made)
	return made.audience(), err
}

func add(hub onefold.Hub, config Config, change onefold.AudienceChange) (onefold.Outcome, error) {
	return members(hub, config, change, "add")
}

func remove(hub onefold.Hub, config Config, change onefold.AudienceChange) (onefold.Outcome, error) {
	return members(hub, config, change, "remove")
}

// members adds or removes. Members who are in the list already, or no longer in it, count as done.
func members(hub onefold.Hub, config Config, change onefold.AudienceChange, verb string) (onefold.Outcome, error) {
	found, failures := onefold.Emails(vendor, change)
	var emails []string
	for _, member := range found {
		emails = append(emails, member.Email)
	}
	url := config.at("/lists/" + onefold.Encode(change.Audience) + "/" + verb)
	body := map[string][]string{"emails": emails}
	_, err := vendor.Send(hub, onefold.Post(url).JSON(body).Auth("token").Repeatable())
	return onefold.NewOutcome(failures), err
}

// eraseSubject erases the person with an email.
func eraseSubject(hub onefold.Hub, config Config, ids []onefold.Identifier, _ string) (onefold.Erasure, error) {
	email, known := onefold.FindPlain(ids, onefold.KindEmail)
	if !known {
		const todo = "people are found by a plain email only"
		return onefold.Erasure{Status: onefold.ErasureManual, Text: todo}, nil
	}
	body := map[string]string{"email": email}
	_, err := vendor.Send(hub, onefold.Post(config.at("/erase")).JSON(body).Auth("token"))
	var failure *onefold.Error
	if errors.As(err, &failure) && failure.HTTPStatus == 404 {
		return onefold.Erasure{Status: onefold.ErasureNotFound}, nil
	}
	return onefold.Erasure{Status: onefold.ErasureDone, Erased: 1}, err
}
