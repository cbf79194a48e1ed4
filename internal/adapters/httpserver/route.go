package httpserver

import (
	"net/http"
	"reflect"
	"slices"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Route is one route of the API with its description. Package gen generates the OpenAPI
// document from it.
type Route struct {
	Method, Path string
	// ID, Tag, Summary and Description describe the operation.
	ID, Tag, Summary, Description string
	// Responses are the successful responses, and errors without a problem document.
	Responses []Response
	// Codes are the codes of the problems that the route returns.
	Codes []api.Code
	// Requirement is what the caller needs.
	Requirement callers.Requirement
	// Request decodes the requests, and describes their parameters and body.
	Request *request.Decoder
	// IsHidden reports whether the document omits the route.
	IsHidden bool

	handle func(s *Server, w http.ResponseWriter, r *http.Request, variables map[string]string) error
	locate func(field string) string
	// timeout returns the deadline of a request; nil is no deadline.
	timeout func(Config) time.Duration
	// isRead reports whether a POST changes nothing; isSecret whether a GET returns secret
	// values or runs a command, so that it is audited.
	isRead, isSecret bool
	// isStream reports whether the response is a stream without a deadline. The metrics exclude its duration.
	isStream bool
	// isOperation reports whether the request waits for an operation of a game.
	isOperation bool
	// isDrained reports whether requests end after half of the drain timeout of a shutdown.
	isDrained bool
}

// Response describes one response.
type Response struct {
	Status      int
	Description string
	// Content is the type of the body, by media type; a string is plain text.
	Content map[string]reflect.Type
	Headers []ResponseHeader
}

// ResponseHeader describes one header of a response.
type ResponseHeader struct {
	Name, Description string
	Type              reflect.Type
	IsOptional        bool
}

// withHandler returns the route with its handler, and with the decoder of the handler's
// input.
func withHandler[In any](route Route, handler func(*Server, http.ResponseWriter, *http.Request, *In) error) Route {
	route.Request = request.NewDecoder(reflect.TypeFor[In]())
	route.locate = route.Request.Locate
	if route.timeout == nil {
		route.timeout = func(c Config) time.Duration { return c.RequestTimeout }
	}
	route.handle = func(s *Server, w http.ResponseWriter, r *http.Request, variables map[string]string) error {
		var input In
		if p := route.Request.Decode(w, r, variables, &input, s.cfg.BodyTimeout); p != nil {
			return p
		}
		return handler(s, w, r, &input)
	}
	return route
}

// withRawHandler returns the route with a handler that accepts any query. Tools add their
// own parameters: Prometheus adds those of its scrape configuration, and document viewers
// add one that bypasses caches.
func withRawHandler(route Route, handler func(*Server, http.ResponseWriter, *http.Request) error) Route {
	route.Request = &request.Decoder{}
	route.locate = route.Request.Locate
	route.timeout = func(c Config) time.Duration { return c.RequestTimeout }
	route.handle = func(s *Server, w http.ResponseWriter, r *http.Request, _ map[string]string) error {
		return handler(s, w, r)
	}
	return route
}

// jsonResponse returns the response of one JSON document.
func jsonResponse[T any](description string) []Response {
	return []Response{{Status: http.StatusOK, Description: description, Content: map[string]reflect.Type{"application/json": reflect.TypeFor[T]()}}}
}

// recordResponse returns the response of a record with its ETag.
func recordResponse(description string, headers ...ResponseHeader) []Response {
	responses := jsonResponse[runtime.RuntimeRecord](description)
	responses[0].Headers = append([]ResponseHeader{{Name: "ETag", Description: "The revision of the record's last change, in double quotes", Type: reflect.TypeFor[string]()}}, headers...)
	return responses
}

// withStreams adds the stream formats of T to a response.
func withStreams[T any](response Response) Response {
	if response.Content == nil {
		response.Content = map[string]reflect.Type{}
	}
	response.Content[api.EventStreamMediaType] = reflect.TypeFor[string]()
	response.Content[api.NDJSONMediaType] = reflect.TypeFor[T]()
	return response
}

// codes joins codes of problems with those that every route returns.
func codes(groups ...[]api.Code) []api.Code {
	all := []api.Code{api.CodeInvalid, api.CodeHostRejected, api.CodeUnauthenticated, api.CodeForbidden, api.CodeRateLimited, api.CodeInternal}
	for _, group := range groups {
		all = append(all, group...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// storeCodes are the codes of every route that reads the store.
func storeCodes() []api.Code {
	return []api.Code{api.CodeUnavailable, api.CodeIncompatible, api.CodeCorrupt}
}

// writeCodes are the codes of every route that writes.
func writeCodes() []api.Code {
	return []api.Code{api.CodeCrossOrigin, api.CodeOutcomeUnknown, api.CodeReadOnly, api.CodeFenced}
}

// bodyCodes are the codes of every route with a body.
func bodyCodes() []api.Code {
	return []api.Code{api.CodeCrossOrigin, api.CodeRequestTimeout, api.CodePayloadTooLarge, api.CodeUnsupportedMediaType}
}

// nodeCodes are the codes of every route that another node may serve.
func nodeCodes() []api.Code {
	return []api.Code{api.CodeNoEngine, api.CodeNodeUnreachable, api.CodeEngineUnavailable, api.CodeMisrouted}
}

// withoutDeadline returns a route without a deadline.
func withoutDeadline(route Route) Route {
	route.timeout = nil
	return route
}
