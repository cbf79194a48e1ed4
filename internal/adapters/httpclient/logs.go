package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// LogOptions selects lines of the log of a game.
type LogOptions struct {
	// Tail selects the last lines only: at most this number. Negative means all lines.
	Tail int
	// Since selects the lines since a time in RFC 3339, or since a duration ago, as in 10m. Empty
	// means all lines.
	Since string
	// IsPrevious selects what the container wrote before its latest start.
	IsPrevious bool
	// IsFollowing waits for further lines until the game has exited.
	IsFollowing bool
	// HasTimes starts each line with its time.
	HasTimes bool
}

// Logs returns the log of a game, which the caller must close. A log that ends early returns
// runtime.ErrUnavailable from Read. Logs fails with runtime.ErrNotFound for an unknown game, and with
// operation.ErrRejected for one without a container. Only ctx bounds how long the log can be read.
func (c *Client) Logs(ctx context.Context, gameID string, options LogOptions) (io.ReadCloser, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return nil, err
	}
	query := url.Values{}
	if options.Tail >= 0 {
		query.Set("tail", strconv.Itoa(options.Tail))
	}
	setIfGiven(query, "since", options.Since)
	for name, isSet := range map[string]bool{"previous": options.IsPrevious, "follow": options.IsFollowing, "timestamps": options.HasTimes} {
		if isSet {
			query.Set(name, "true")
		}
	}
	return c.openText(ctx, apiRequest{method: http.MethodGet, path: gamePath(gameID, "/logs"), query: query})
}

// openText sends the request and returns its response of plain text.
func (c *Client) openText(ctx context.Context, request apiRequest) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	opening := time.AfterFunc(c.cfg.RequestTimeout, cancel)
	response, err := c.send(ctx, request)
	isTimely := opening.Stop()
	if err == nil {
		if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); response.StatusCode == http.StatusOK && media == "text/plain" {
			return &textBody{client: c, ctx: ctx, cancel: cancel, body: response.Body}, nil
		}
		defer response.Body.Close()
		err = decodeError(response)
		if response.StatusCode == http.StatusOK {
			err = nonAPIResponseError(response)
		}
	}
	defer cancel()
	var sendErr *sendError
	if !isTimely && errors.As(err, &sendErr) {
		return nil, &unavailableError{server: c.server(), err: timeoutError(request, "no response in time")}
	}
	return nil, c.unavailableError(ctx, err)
}

// textBody is a response of plain text.
type textBody struct {
	client *Client
	ctx    context.Context //nolint:containedctx // of the response
	cancel context.CancelFunc
	body   io.ReadCloser
}

// Read implements io.Reader.
func (b *textBody) Read(data []byte) (int, error) {
	n, err := b.body.Read(data)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case b.ctx.Err() != nil:
		return n, b.ctx.Err()
	}
	return n, fmt.Errorf("%w: the response of the daemon at %s ended early: %w", runtime.ErrUnavailable, b.client.server(), err)
}

// Close ends the response.
func (b *textBody) Close() error {
	b.cancel()
	return b.body.Close()
}
