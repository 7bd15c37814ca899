package connector

import "onefold"

// vendor has the help desk's words for errors.
var vendor = onefold.Vendor{Name: "helpdesk", Code: []string{"/error/code"}, Message: []string{"/error/message"}}

// Config is the configuration.
type Config struct {
	BaseURL string `json:"base_url" default:"https://desk.example.com"`
	// PageSize is in records.
	PageSize int `json:"page_size" default:"200"`
}

// at gives the address of a path of the API.
func (c Config) at(path string) string {
	return onefold.Base(c.BaseURL) + path
}
