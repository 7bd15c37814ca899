package onefold

import (
	"bytes"
	"cmp"
	"slices"
)

// Ptr gives a pointer to a value, for fields that may be missing.
func Ptr[T any](value T) *T {
	return &value
}

// Chunk is JSON lines: one object a line, "\n" after each.
type Chunk struct {
	// Count is the number of lines.
	Count uint32
	Data  []byte
}

// Lines gives each line without its end. Empty lines are left out.
func (c Chunk) Lines() [][]byte {
	lines := bytes.Split(c.Data, []byte{'\n'})
	return slices.DeleteFunc(lines, func(line []byte) bool { return len(line) == 0 })
}

// CheckReport is what a check found out.
type CheckReport struct {
	// Account is the account's name or id at the vendor, nil when the vendor does not say.
	Account  *string
	Warnings []string
}

// StreamInfo describes what can be read.
type StreamInfo struct {
	Name  string
	Title string
	// Schema is the JSON Schema of one record.
	Schema     string
	PrimaryKey []string
	// CursorFields are the fields by which the stream can be read incrementally; none means full reads only.
	CursorFields []string
	// DataClasses is a JSON object: path in the record to class of data, such as pii.email.
	DataClasses     string
	SupportsDeletes bool
}

// ReadRequest asks for one batch of a stream.
type ReadRequest struct {
	Stream string
	// Part is one of the strings that Split gave.
	Part string
	// Cursor is what the last committed batch gave; nil on a first or full read.
	Cursor []byte
	// Since and Until are bounds for backfills in RFC 3339, nil when there are none.
	Since *string
	Until *string
	// MaxRecords and MaxBytes bound the batch; MaxBytes counts the lines with their ends.
	MaxRecords uint32
	MaxBytes   uint32
}

// At gives the same request from a cursor on.
func (r ReadRequest) At(cursor []byte) ReadRequest {
	r.Cursor = cursor
	return r
}

// Batch is what one read gave. The hub applies the upserts before the deletes, so a key that is in both is deleted; see
// [Found]. Between batches it keeps the order.
type Batch struct {
	Upserts Chunk
	// Deletes has objects with the primary key fields only; nil when nothing was deleted.
	Deletes *Chunk
	// Cursor is committed by the hub together with the rows, or not at all.
	Cursor []byte
	// Done says that there is nothing more to read for now.
	Done bool
}

// Mode says what a write does to rows.
type Mode string

// The modes of the contract.
const (
	ModeUpsert     Mode = "upsert"
	ModeUpdateOnly Mode = "update-only"
	ModeCreateOnly Mode = "create-only"
	ModeDelete     Mode = "delete"
)

// TargetInfo describes what can be written.
type TargetInfo struct {
	Name  string
	Title string
	// Schema is the JSON Schema of one row.
	Schema string
	Modes  []Mode
	// Keys are the fields that may identify a row at the vendor.
	Keys []string
	// MaxBatch is the most rows of one write.
	MaxBatch uint32
}

// WriteRequest asks to write rows.
type WriteRequest struct {
	Target string
	Mode   Mode
	Rows   Chunk
	// IdempotencyKey is the same on every try of the same rows.
	IdempotencyKey string
	// Verify says that an earlier try ended without an answer: look first.
	Verify bool
}

// Failure is a row that the vendor did not take.
type Failure struct {
	// Index is the row's place in the request, from 0.
	Index     uint32
	Retryable bool
	Code      string
	Message   string
}

// Rejected is the failure of a row that will not do better on another try.
func Rejected(index uint32, code, message string) Failure {
	return Failure{Index: index, Code: code, Message: message}
}

// Outcome is what became of the rows of a write. Rows that are not named succeeded.
type Outcome struct {
	Failures []Failure
	// Job is what to poll when the vendor answers later, nil when it has answered.
	Job *string
}

// NewOutcome keeps one failure a row, the first, in the rows' order.
func NewOutcome(failures []Failure) Outcome {
	byRow := func(a, b Failure) int { return cmp.Compare(a.Index, b.Index) }
	sorted := slices.Clone(failures)
	slices.SortStableFunc(sorted, byRow)
	return Outcome{Failures: slices.CompactFunc(sorted, func(a, b Failure) bool { return a.Index == b.Index })}
}

// IDKind is a kind of identifier of a person.
type IDKind string

// The kinds of the contract.
const (
	KindEmail      IDKind = "email"
	KindPhone      IDKind = "phone"
	KindExternalID IDKind = "external-id"
	KindDevice     IDKind = "device"
	KindAddress    IDKind = "address"
)

// IDForm says how an identifier is written.
type IDForm string

// The forms of the contract.
const (
	FormPlain     IDForm = "plain"
	FormSHA256Hex IDForm = "sha256-hex"
)

// Identifier is what a person is known by at a vendor.
type Identifier struct {
	Kind  IDKind
	Form  IDForm
	Value string
}

// EmailID is a plain email.
func EmailID(value string) Identifier {
	return Identifier{KindEmail, FormPlain, value}
}

// FindPlain gives the first plain identifier of a kind, and false when there is none.
func FindPlain(ids []Identifier, kind IDKind) (string, bool) {
	for _, id := range ids {
		if id.Kind == kind && id.Form == FormPlain {
			return id.Value, true
		}
	}
	return "", false
}

// Member is a person of an audience.
type Member struct {
	IDs []Identifier
	// Traits is a JSON object, nil when there are none.
	Traits *string
}

// AudienceRef names an audience at the vendor.
type AudienceRef struct {
	ID   string
	Name string
	// Size is the number of members, nil when the vendor does not say.
	Size *uint64
}

// AudienceChange asks to add members or to remove them.
type AudienceChange struct {
	// Audience is the vendor's id.
	Audience string
	Members  []Member
	// IdempotencyKey is the same on every try of the same members.
	IdempotencyKey string
	// Verify says that an earlier try ended without an answer: look first.
	Verify bool
}

// ErasureStatus says how an erasure stands.
type ErasureStatus string

// The states of the contract.
const (
	ErasureDone     ErasureStatus = "done"
	ErasurePending  ErasureStatus = "pending"
	ErasureNotFound ErasureStatus = "not-found"
	ErasureManual   ErasureStatus = "manual"
)

// Erasure is how an erasure stands.
type Erasure struct {
	Status ErasureStatus
	// Erased is the number of records that were erased, with ErasureDone.
	Erased uint64
	// Text is the job to poll with ErasurePending, and what somebody has to do with ErasureManual.
	Text string
	// Evidence is JSON for the audit log, nil when there is none.
	Evidence *string
}
