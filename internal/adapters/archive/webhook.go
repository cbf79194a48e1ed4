package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// requestTimeout bounds one request to the endpoint.
	requestTimeout = 10 * time.Second
	// ndjsonMediaType is the media type of the requests: one JSON document per line.
	ndjsonMediaType = "application/x-ndjson"
)

// webhook sends lines to an HTTP endpoint. It is safe for concurrent use.
type webhook struct {
	url    string // may contain secrets, so it is never logged
	client *http.Client
}

func newWebhook(text string, transport http.RoundTripper) (*webhook, error) {
	endpoint, err := url.Parse(text)
	if err != nil || endpoint.Host == "" {
		return nil, errors.New("the URL of the archive is invalid") // err contains the URL
	}
	if transport == nil {
		transport = &http.Transport{TLSHandshakeTimeout: requestTimeout, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute}
	}
	return &webhook{url: text, client: &http.Client{
		Transport: transport, Timeout: requestTimeout,
		// A redirect could lead the games to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// rejectedError is a response for lines that are not acceptable.
type rejectedError struct{ status string }

func (e rejectedError) Error() string { return "the response is " + e.status }

// send sends the lines in one request, and returns the error of each, nil for the accepted ones.
// If the endpoint rejects several lines, send halves them until it has found those that are not
// acceptable, so that they do not keep the others in the store.
func (w *webhook) send(ctx context.Context, lines [][]byte) []error {
	err := w.post(ctx, lines)
	if _, isRejected := errors.AsType[rejectedError](err); isRejected && len(lines) > 1 {
		half := len(lines) / 2
		return append(w.send(ctx, lines[:half]), w.send(ctx, lines[half:])...)
	}
	errs := make([]error, len(lines))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (w *webhook) post(ctx context.Context, lines [][]byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(bytes.Join(lines, nil)))
	if err != nil {
		return errors.New("the URL is invalid")
	}
	request.Header.Set("Content-Type", ndjsonMediaType)
	response, err := w.client.Do(request)
	if err != nil {
		if withURL, isURL := errors.AsType[*url.Error](err); isURL {
			err = withURL.Err // without the URL
		}
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10) // so that the connection can be reused
	switch status := response.StatusCode; {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return rejectedError{response.Status}
	default:
		return fmt.Errorf("the response is %s", response.Status)
	}
}
