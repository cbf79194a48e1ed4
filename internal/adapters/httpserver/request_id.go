package httpserver

import (
	"crypto/rand"
	"net/http"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/audit"
)

// withRequestID returns the request with its id in the context, and sets the header of the
// response. The id is that of the client if it has sent exactly one valid id.
func withRequestID(r *http.Request, response http.Header) *http.Request {
	values := r.Header.Values(api.HeaderRequestID)
	if len(values) != 1 || !api.IsRequestID(values[0]) {
		values = []string{rand.Text()}
	}
	response.Set(api.HeaderRequestID, values[0])
	return r.WithContext(audit.WithRequestID(r.Context(), values[0]))
}
