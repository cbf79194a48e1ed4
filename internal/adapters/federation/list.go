package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/federation"
)

// maxPageBytes bounds how much of a page is read.
const maxPageBytes = 64 << 20

// ListPage returns a page of the list of another store, with the parameters of GET /v1/runtimes. It
// returns the identity of the store too. A problem of the other daemon is an *api.Problem. Other
// errors are a *federation.UnusableError, a *federation.UnknownStoreError, or that of ctx.
func (c *Client) ListPage(ctx context.Context, store string, query url.Values) (page api.Page, storeID string, err error) {
	limited, cancel := context.WithTimeout(ctx, c.cfg.ListTimeout)
	defer cancel()
	to, err := c.connect(limited, store)
	if err == nil {
		err = c.getJSON(limited, to, "/v1/runtimes?"+query.Encode(), &page)
	}
	if err == nil && (page.Revision < 1 || len(page.Items) != len(page.ItemRevisions)) {
		err = errors.New("its response is not a page of a list")
	}
	var problem *api.Problem
	var unusable *federation.UnusableError
	var unknown *federation.UnknownStoreError
	switch {
	case err == nil:
		return page, to.storeID, nil
	case errors.As(err, &problem), errors.As(err, &unusable), errors.As(err, &unknown):
		return api.Page{}, "", err
	case ctx.Err() != nil:
		return api.Page{}, "", context.Cause(ctx)
	case to.remote == nil:
		return api.Page{}, "", &federation.UnusableError{Store: store, State: federation.StateUnreachable, Reason: fmt.Sprintf("did not respond within %s", c.cfg.ListTimeout)}
	default:
		to.remote.invalidate(to.url)
		return api.Page{}, "", &federation.UnusableError{Store: store, State: federation.StateUnreachable, Reason: c.unreachableReason(limited, to.url, err)}
	}
}

// getJSON requests a JSON document on behalf of the caller of ctx.
func (c *Client) getJSON(ctx context.Context, to connection, path string, result any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to.url+path, nil)
	if err != nil {
		return err
	}
	c.setForwarded(ctx, request.Header)
	request.Header.Set("Accept", "application/json")
	response, err := c.roundTrip(request, to.url)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if err := checkResponse(response, to.storeID); err != nil {
		return err
	}
	body := &io.LimitedReader{R: response.Body, N: maxPageBytes}
	if response.StatusCode == http.StatusOK {
		err := json.NewDecoder(body).Decode(result)
		if err != nil && body.N == 0 {
			return fmt.Errorf("its page has more than %d MiB; request a smaller limit", maxPageBytes>>20)
		}
		return err
	}
	var problem api.Problem
	if err := json.NewDecoder(body).Decode(&problem); err != nil {
		return err
	}
	if problem.Code == "" {
		return fmt.Errorf("%s is not a response of this API", response.Status)
	}
	problem.Status = response.StatusCode
	return &problem
}
