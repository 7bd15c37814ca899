package onefold

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// longestWait is in seconds; whoever asks for more means something else.
const longestWait = 1e9

// longestMessage is in characters: a vendor's text may be a whole page.
const longestMessage = 500

// Request is a request to a vendor. Each method changes it and gives it back.
type Request struct {
	Method  string
	URL     string
	Headers []Header
	// Body is nil when the request has none.
	Body []byte
	// Credential is the one that the hub adds, by name; empty for none.
	Credential string
	// BucketName is the rate bucket to wait for; empty for the default.
	BucketName string
	// TimeoutMs is in milliseconds; 0 leaves it to the hub.
	TimeoutMs uint32
	// Idempotent lets the hub send the request again after a network error, a 429 or a 5xx.
	Idempotent bool
	// failed is why the body could not be written; Vendor.Send gives it.
	failed error
}

// Get is a request that may be repeated.
func Get(url string) *Request {
	return (&Request{Method: "GET", URL: url}).Repeatable()
}

// Post is a POST.
func Post(url string) *Request {
	return &Request{Method: "POST", URL: url}
}

// Put is a PUT.
func Put(url string) *Request {
	return &Request{Method: "PUT", URL: url}
}

// Delete is a DELETE.
func Delete(url string) *Request {
	return &Request{Method: "DELETE", URL: url}
}

// Repeatable lets the hub send the request again after a network error, a 429 or a 5xx.
func (r *Request) Repeatable() *Request {
	r.Idempotent = true
	return r
}

// Auth names the credential that the hub adds.
func (r *Request) Auth(credential string) *Request {
	r.Credential = credential
	return r
}

// Bucket names the rate bucket to wait for.
func (r *Request) Bucket(name string) *Request {
	r.BucketName = name
	return r
}

// Header adds a header.
func (r *Request) Header(name, value string) *Request {
	r.Headers = append(r.Headers, Header{name, []byte(value)})
	return r
}

// Query adds a query parameter, encoded.
func (r *Request) Query(name, value string) *Request {
	mark := "?"
	if strings.Contains(r.URL, "?") {
		mark = "&"
	}
	r.URL += mark + Encode(name) + "=" + Encode(value)
	return r
}

// QueryInt adds a query parameter that is a number.
func (r *Request) QueryInt(name string, value int) *Request {
	return r.Query(name, strconv.Itoa(value))
}

// JSON sets the body, printed by [JSON]. What cannot be printed makes Vendor.Send fail with the code sdk.request.
func (r *Request) JSON(body any) *Request {
	printed, err := JSON(body)
	if err != nil {
		r.failed = PermanentError("sdk.request", err.Error())
	}
	return r.JSONBytes(printed)
}

// JSONBytes sets a body that is JSON already, for rows that must stay as they are.
func (r *Request) JSONBytes(body []byte) *Request {
	r.Body = body
	return r.Header("Content-Type", "application/json")
}

// Vendor says how a vendor writes its errors: where the code and the message stand, as JSON pointers, best first.
type Vendor struct {
	// Name is put before each code: hubspot.VALIDATION_ERROR.
	Name    string
	Code    []string
	Message []string
}

// Send sends, and turns everything but a 2xx into an *Error.
func (v Vendor) Send(hub Hub, request *Request) (*Response, error) {
	if request.failed != nil {
		return nil, request.failed
	}
	response, err := hub.Send(request)
	if err != nil {
		return nil, v.unanswered(err)
	}
	if response.Status >= 200 && response.Status < 300 {
		return response, nil
	}
	return nil, v.Refused(response, request.BucketName)
}

// Fetch sends, and reads the answer into a value as encoding/json does. An answer of another shape is transient.
func (v Vendor) Fetch(hub Hub, request *Request, into any) error {
	response, err := v.Send(hub, request)
	if err != nil {
		return err
	}
	if !utf8.Valid(response.Body) {
		return v.Malformed("it is no UTF-8")
	}
	if err := unmarshal(response.Body, into); err != nil {
		return v.Malformed(err.Error())
	}
	return nil
}

// Malformed is the transient failure for an answer of another shape.
func (v Vendor) Malformed(reason string) *Error {
	return TransientError(v.Own("malformed_answer"), "the answer is not the JSON that was expected: "+reason)
}

// Refused is the failure for a status that is no success. bucket may be empty.
func (v Vendor) Refused(response *Response, bucket string) *Error {
	status := strconv.Itoa(int(response.Status))
	code, message := textAt(response.Body, v.Code), textAt(response.Body, v.Message)
	if code == "" {
		code = status
	}
	if message == "" {
		message = "no reason was given"
	}
	failure := &Error{
		Class:      classOf(response.Status),
		Code:       v.Own(code),
		Message:    v.Name + " answered " + status + ": " + capped(message),
		HTTPStatus: response.Status,
	}
	if failure.Class == ClassRateLimited {
		failure.RetryAfterMs, failure.Bucket = retryAfterMs(response), bucket
	}
	return failure
}

// Own gives a code with the vendor's name before it.
func (v Vendor) Own(code string) string {
	return v.Name + "." + capped(code)
}

func (v Vendor) unanswered(err error) error {
	var failure *HTTPError
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Tag {
	case HTTPCancelled:
		return Cancelled()
	case HTTPDenied:
		return ConfigError("http.denied", failure.Error())
	case HTTPResponseTooLarge:
		return PermanentError("http.too_large", failure.Error())
	default:
		return TransientError("http.no_answer", v.Name+" did not answer: "+failure.Error())
	}
}

func classOf(status uint16) Class {
	switch {
	case status == 401:
		return ClassAuth
	case status == 403:
		return ClassPermission
	case status == 429:
		return ClassRateLimited
	case status == 408 || status == 425 || status >= 500:
		return ClassTransient
	case status >= 400:
		return ClassPermanent
	default:
		return ClassOther
	}
}

// textAt gives what the first pointer that leads to something leads to, as text, and nothing when none does.
func textAt(body []byte, pointers []string) string {
	if !utf8.Valid(body) {
		return ""
	}
	for _, pointer := range pointers {
		found := json.RawMessage(body)
		for _, key := range strings.Split(pointer, "/")[1:] {
			var object map[string]json.RawMessage
			if json.Unmarshal(found, &object) != nil {
				object = nil
			}
			found = object[key]
		}
		var value any
		if found == nil || json.Unmarshal(found, &value) != nil || value == nil {
			continue
		}
		if text, ok := value.(string); ok {
			return text
		}
		return spaced(found)
	}
	return ""
}

// retryAfterMs reads Retry-After in seconds; the form with a date is the hub's to read, which has seen it too.
func retryAfterMs(response *Response) *uint64 {
	text, _ := response.Header("retry-after")
	text = strings.TrimSpace(text)
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789.") != "" || text[0] == '.' || seconds > longestWait {
		return nil
	}
	return Ptr(uint64(seconds * 1_000))
}

func capped(text string) string {
	count := 0
	for at := range text {
		if count == longestMessage {
			return text[:at] + "…"
		}
		count++
	}
	return text
}

// Encode is percent-encoding for one part of a path or a query: everything but letters, digits and -._~.
func Encode(text string) string {
	const kept = "-._~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for at := range len(text) {
		if c := text[at]; strings.IndexByte(kept, c) >= 0 {
			out.WriteByte(c)
		} else {
			out.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
		}
	}
	return out.String()
}

// Base is a base address without the slash at its end.
func Base(url string) string {
	return strings.TrimRight(url, "/")
}
