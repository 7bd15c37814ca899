package onefold

import "encoding/json"

// Connector is what a connector can do. C is the struct that its configuration is read into, see [ParseConfig]. A
// function that is nil is something that the connector cannot do: a call of it fails with ClassPermanent and the code
// connector.cannot, unless its comment says what happens instead. The Call methods are for the component and for tests.
type Connector[C any] struct {
	// Manifest is the text of manifest.json.
	Manifest string
	// ConfigSchema is the text of config.schema.json, JSON Schema 2020-12 of the configuration.
	ConfigSchema string

	// Check calls the vendor once.
	Check func(hub Hub, config C) (CheckReport, error)

	// Discover gives the streams; nil for those of the manifest.
	Discover func(hub Hub, config C) ([]StreamInfo, error)
	// Split gives parts that can be read side by side; since may be nil. Nil for a single part.
	Split func(hub Hub, config C, stream string, since *string) ([]string, error)
	// Read gives the next batch.
	Read func(hub Hub, config C, request ReadRequest) (Batch, error)

	// Targets gives what can be written; nil for the targets of the manifest.
	Targets func(hub Hub, config C) ([]TargetInfo, error)
	// Write writes rows. Nil for a connector that takes audiences only.
	Write func(hub Hub, config C, request WriteRequest) (Outcome, error)
	// Poll gives the outcome of a job of Write, nil while it goes on. Nil for a connector without jobs.
	Poll func(hub Hub, config C, job string) (*Outcome, error)

	// ListAudiences gives one page of audiences and the token of the next; the token may be nil both ways.
	ListAudiences func(hub Hub, config C, page *string) ([]AudienceRef, *string, error)
	// Create gives the audience of that name, making it when there is none. options is JSON and may be nil.
	Create func(hub Hub, config C, name string, options *string) (AudienceRef, error)
	// Add adds members to an audience.
	Add func(hub Hub, config C, change AudienceChange) (Outcome, error)
	// Remove removes members from an audience.
	Remove func(hub Hub, config C, change AudienceChange) (Outcome, error)
	// PollAudience gives the outcome of a job of Add or Remove, nil while it goes on. Nil for a connector without jobs.
	PollAudience func(hub Hub, config C, job string) (*Outcome, error)

	// EraseSubject erases one person at the vendor.
	EraseSubject func(hub Hub, config C, ids []Identifier, requestID string) (Erasure, error)
	// PollErasure tells how a job of EraseSubject stands. Nil for ErasureNotFound.
	PollErasure func(hub Hub, config C, job string) (Erasure, error)
}

// manifestStream is what the manifest says about a stream.
type manifestStream struct {
	Name            string          `json:"name"`
	Title           string          `json:"title"`
	Schema          json.RawMessage `json:"schema"`
	PrimaryKey      []string        `json:"primary_key"`
	CursorFields    []string        `json:"cursor_fields"`
	DataClasses     json.RawMessage `json:"data_classes"`
	SupportsDeletes bool            `json:"supports_deletes"`
}

// manifestTarget is what the manifest says about a target.
type manifestTarget struct {
	Name     string          `json:"name"`
	Title    string          `json:"title"`
	Schema   json.RawMessage `json:"schema"`
	Modes    []Mode          `json:"modes"`
	Keys     []string        `json:"keys"`
	MaxBatch uint32          `json:"max_batch"`
}

// ManifestStreams gives the streams of the manifest. It fails with ClassPermanent, code connector.manifest, when the
// manifest cannot be read.
func (c *Connector[C]) ManifestStreams() ([]StreamInfo, error) {
	var manifest struct {
		Streams []manifestStream `json:"streams"`
	}
	if err := c.readManifest(&manifest); err != nil {
		return nil, err
	}
	var streams []StreamInfo
	for _, one := range manifest.Streams {
		classes := one.DataClasses
		if classes == nil {
			classes = json.RawMessage("{}")
		}
		streams = append(streams, StreamInfo{
			one.Name, one.Title, spaced(one.Schema), one.PrimaryKey, one.CursorFields, spaced(classes), one.SupportsDeletes,
		})
	}
	return streams, nil
}

// ManifestTargets gives the targets of the manifest. It fails as ManifestStreams does.
func (c *Connector[C]) ManifestTargets() ([]TargetInfo, error) {
	var manifest struct {
		Targets []manifestTarget `json:"targets"`
	}
	if err := c.readManifest(&manifest); err != nil {
		return nil, err
	}
	var targets []TargetInfo
	for _, one := range manifest.Targets {
		targets = append(targets, TargetInfo{
			one.Name, one.Title, spaced(one.Schema), one.Modes, one.Keys, one.MaxBatch,
		})
	}
	return targets, nil
}

func (c *Connector[C]) readManifest(into any) error {
	if err := json.Unmarshal([]byte(c.Manifest), into); err != nil {
		return PermanentError("connector.manifest", "in the manifest: "+err.Error())
	}
	return nil
}
