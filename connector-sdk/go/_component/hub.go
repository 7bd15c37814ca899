package wire

import (
	"errors"
	"onefold"
	"strconv"

	"wit_component/onefold_connector_crypto"
	"wit_component/onefold_connector_http"
	"wit_component/onefold_connector_log"
	"wit_component/onefold_connector_run"

	"go.bytecodealliance.org/pkg/wit/runtime"
	"go.bytecodealliance.org/pkg/wit/types"
)

var (
	levels     = []onefold.Level{onefold.LevelTrace, onefold.LevelDebug, onefold.LevelInfo, onefold.LevelWarn, onefold.LevelError}
	algorithms = []onefold.MacAlgorithm{onefold.MacSHA1, onefold.MacSHA256, onefold.MacSHA512}
)

// Hub is the hub behind the contract's imports.
type Hub struct{}

// Send sends a request through the hub, which checks it against what the connection was granted.
func (Hub) Send(request *onefold.Request) (*onefold.Response, error) {
	runtime.Collect()
	asked := onefold_connector_http.Request{
		Method:     request.Method,
		Url:        request.URL,
		Headers:    make([]onefold_connector_http.Header, 0, len(request.Headers)),
		Auth:       unlessZero(request.Credential),
		Bucket:     unlessZero(request.BucketName),
		TimeoutMs:  unlessZero(request.TimeoutMs),
		Idempotent: request.Idempotent,
	}
	if request.Body != nil {
		asked.Body = types.Some(request.Body)
	}
	for _, header := range request.Headers {
		asked.Headers = append(asked.Headers, onefold_connector_http.Header{Name: header.Name, Value: header.Value})
	}
	result := onefold_connector_http.Send(asked)
	if result.Tag() == types.ResultErr {
		return nil, unanswered(result.Err())
	}
	answer := result.Ok()
	response := &onefold.Response{Status: answer.Status, Body: answer.Body}
	for _, header := range answer.Headers {
		response.Headers = append(response.Headers, onefold.Header{Name: header.Name, Value: header.Value})
	}
	return response, nil
}

func unanswered(err onefold_connector_http.HttpError) *onefold.HTTPError {
	switch err.Tag() {
	case onefold_connector_http.HttpErrorDenied:
		return &onefold.HTTPError{Tag: onefold.HTTPDenied, Said: err.Denied()}
	case onefold_connector_http.HttpErrorDns:
		return &onefold.HTTPError{Tag: onefold.HTTPDNS, Said: err.Dns()}
	case onefold_connector_http.HttpErrorConnect:
		return &onefold.HTTPError{Tag: onefold.HTTPConnect, Said: err.Connect()}
	case onefold_connector_http.HttpErrorTls:
		return &onefold.HTTPError{Tag: onefold.HTTPTLS, Said: err.Tls()}
	case onefold_connector_http.HttpErrorTimeout:
		return &onefold.HTTPError{Tag: onefold.HTTPTimeout}
	case onefold_connector_http.HttpErrorResponseTooLarge:
		return &onefold.HTTPError{Tag: onefold.HTTPResponseTooLarge, Said: strconv.FormatUint(err.ResponseTooLarge(), 10)}
	case onefold_connector_http.HttpErrorCancelled:
		return &onefold.HTTPError{Tag: onefold.HTTPCancelled}
	default:
		return &onefold.HTTPError{Tag: onefold.HTTPOther, Said: err.Other()}
	}
}

// Log writes a line.
func (Hub) Log(level onefold.Level, message, fields string) {
	onefold_connector_log.Write(Place(levels, level), message, unlessZero(fields))
}

// Cancelled is true once the run should stop.
func (Hub) Cancelled() bool {
	return onefold_connector_run.Cancelled()
}

// RemainingMs is the number of milliseconds until the hub interrupts this call.
func (Hub) RemainingMs() uint64 {
	return onefold_connector_run.RemainingMs()
}

// NowMs is the number of milliseconds since 1970 UTC.
func (Hub) NowMs() uint64 {
	return onefold_connector_run.NowMs()
}

// Progress tells how far the run is.
func (Hub) Progress(done uint64, total *uint64, note *string) {
	onefold_connector_run.Progress(done, Optional(total), Optional(note))
}

// Count adds to a metric.
func (Hub) Count(metric string, by uint64) {
	onefold_connector_run.Count(metric, by)
}

// Mac signs with a key that only the hub holds.
func (Hub) Mac(credential string, algorithm onefold.MacAlgorithm, data []byte) ([]byte, error) {
	runtime.Collect()
	result := onefold_connector_crypto.Mac(credential, Place(algorithms, algorithm), data)
	if result.Tag() == types.ResultErr {
		return nil, errors.New(result.Err())
	}
	return result.Ok(), nil
}

// SHA256 gives the digest.
func (Hub) SHA256(data []byte) []byte {
	runtime.Collect()
	return onefold_connector_crypto.Sha256(data)
}
