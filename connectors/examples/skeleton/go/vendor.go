package connector

import "onefold"

// vendor says where the answer to a refused request has an error's code and message.
var vendor = onefold.Vendor{Name: "helpdesk", Code: []string{"/error/code"}, Message: []string{"/error/message"}}

// Config has a field for each property of config.schema.json.
type Config struct {
	BaseURL string `json:"base_url" default:"https://api.example.com"`
}

// at gives the address of a path of the API.
func (c Config) at(path string) string {
	return onefold.Base(c.BaseURL) + path
}
