package federation

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/daemonhttp"
)

// roundTrip sends a request on a connection to the URL.
func (c *Client) roundTrip(request *http.Request, base string) (*http.Response, error) {
	transport, err := c.transports.Get(base, func() (*http.Transport, error) { return c.newTransport(base) })
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(request)
}

// setForwarded names this node, the request and the caller whose request is forwarded. The other
// daemon rejects a request without a caller, unless it authenticates none.
func (c *Client) setForwarded(ctx context.Context, header http.Header) {
	header.Set(api.HeaderFederated, api.EncodeHeaderText(c.cfg.Self.String()))
	daemonhttp.SetCaller(ctx, header)
}

// isResult reports whether the response may be a successful response of the API, or the one of a
// daemon that is not ready.
func isResult(response *http.Response) bool {
	media := daemonhttp.MediaType(response)
	switch response.StatusCode {
	case http.StatusNoContent, http.StatusNotModified, http.StatusSwitchingProtocols:
		return true
	case http.StatusOK, http.StatusAccepted:
		return slices.Contains([]string{"application/json", "text/plain", api.EventStreamMediaType, api.NDJSONMediaType}, media)
	case http.StatusServiceUnavailable:
		return media == "application/json"
	default:
		return false
	}
}

// checkResponse returns an error for a response that does not come from the API, or comes from
// another store than the one that was probed.
func checkResponse(response *http.Response, storeID string) error {
	if id := response.Header.Get(api.HeaderStore); id != "" && id != storeID {
		return fmt.Errorf("it is store %s now, not %s", id, storeID)
	}
	if !isResult(response) && !daemonhttp.IsProblem(response) {
		return fmt.Errorf("%s is not a response of this API", response.Status)
	}
	return nil
}
