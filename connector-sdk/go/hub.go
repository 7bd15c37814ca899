package onefold

import (
	"strings"
	"unicode/utf8"
)

// Level is how important a line of the log is.
type Level string

// The levels of the contract.
const (
	LevelTrace Level = "trace"
	LevelDebug Level = "debug"
	LevelInfo  Level = "info"
	LevelWarn  Level = "warn"
	LevelError Level = "error"
)

// MacAlgorithm names a way of signing.
type MacAlgorithm string

// The algorithms of the contract.
const (
	MacSHA1   MacAlgorithm = "hmac-sha1"
	MacSHA256 MacAlgorithm = "hmac-sha256"
	MacSHA512 MacAlgorithm = "hmac-sha512"
)

// Header is one header of a request or an answer. The value need not be text.
type Header struct {
	Name  string
	Value []byte
}

// Response is a vendor's answer.
type Response struct {
	Status  uint16
	Headers []Header
	Body    []byte
}

// Header gives the first header of a name in any case; false when there is none or it is no text.
func (r *Response) Header(name string) (string, bool) {
	for _, header := range r.Headers {
		if strings.EqualFold(header.Name, name) {
			return string(header.Value), utf8.Valid(header.Value)
		}
	}
	return "", false
}

// HTTPErrorTag says why no answer came.
type HTTPErrorTag string

// The reasons of the contract.
const (
	HTTPDenied           HTTPErrorTag = "denied"
	HTTPDNS              HTTPErrorTag = "dns"
	HTTPConnect          HTTPErrorTag = "connect"
	HTTPTLS              HTTPErrorTag = "tls"
	HTTPTimeout          HTTPErrorTag = "timeout"
	HTTPResponseTooLarge HTTPErrorTag = "response-too-large"
	HTTPCancelled        HTTPErrorTag = "cancelled"
	HTTPOther            HTTPErrorTag = "other"
)

// HTTPError says that no answer came.
type HTTPError struct {
	Tag HTTPErrorTag
	// Said is the hub's text; with HTTPResponseTooLarge the limit in bytes, with HTTPDenied a sentence that names the
	// line of the manifest that would grant the request.
	Said string
}

// Error is one sentence for a person.
func (e *HTTPError) Error() string {
	switch e.Tag {
	case HTTPDNS:
		return "the host's name was not found: " + e.Said
	case HTTPConnect:
		return "no connection: " + e.Said
	case HTTPTLS:
		return "no secure connection: " + e.Said
	case HTTPTimeout:
		return "no answer in time"
	case HTTPResponseTooLarge:
		return "the answer is larger than " + e.Said + " bytes"
	case HTTPCancelled:
		return "cancelled"
	default:
		return e.Said
	}
}

// Hub is everything that a connector can reach. No method blocks for ever: the hub bounds each.
type Hub interface {
	// Send gives the vendor's answer whatever its status, or an *HTTPError when none came.
	Send(request *Request) (*Response, error)
	// Log writes a line; fields is a small JSON object, empty when there are none.
	Log(level Level, message, fields string)
	// Cancelled is true once the run should stop at the next safe point.
	Cancelled() bool
	// RemainingMs is the number of milliseconds until the hub interrupts this call.
	RemainingMs() uint64
	// NowMs is the number of milliseconds since 1970 UTC.
	NowMs() uint64
	// Progress tells how far the run is; total and note may be nil.
	Progress(done uint64, total *uint64, note *string)
	// Count adds to a metric.
	Count(metric string, by uint64)
	// Mac signs with a key that only the hub holds; it fails when there is no such key.
	Mac(credential string, algorithm MacAlgorithm, data []byte) ([]byte, error)
	// SHA256 gives the 32 bytes of the digest.
	SHA256(data []byte) []byte
}
