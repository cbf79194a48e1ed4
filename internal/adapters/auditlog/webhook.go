package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// maxQueuedEvents bounds the events that wait for the webhook, maxBatchEvents those of
	// one request.
	maxQueuedEvents = 10_000
	maxBatchEvents  = 200
	// requestTimeout bounds one request, retryTimeout the retries of one batch.
	requestTimeout = 10 * time.Second
	retryTimeout   = 5 * time.Minute
	// closeTimeout bounds how long the last batches may take when the log ends.
	closeTimeout = 3 * time.Second
)

// ndjsonMediaType is the media type of the requests: one JSON document per line.
const ndjsonMediaType = "application/x-ndjson"

// WebhookConfig tunes a Webhook.
type WebhookConfig struct {
	// URL receives the events by POST. It may contain secrets, so it is never logged.
	URL string
	// Transport sends the requests. Default: one without a proxy.
	Transport http.RoundTripper
	// Logger receives one line when events are dropped, and one when the webhook works.
	Logger *slog.Logger
}

// Webhook sends events to an HTTP endpoint, in batches of lines of JSON. It drops events
// if the endpoint is too slow or unreachable for minutes: it must not block the API. It is
// safe for concurrent use.
type Webhook struct {
	cfg           WebhookConfig
	host          string
	client        *http.Client
	queue         chan []byte
	sent, dropped atomic.Int64
	isFailing     atomic.Bool // the log has that
}

// NewWebhook returns a webhook, which sends while Run runs.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
	endpoint, err := url.Parse(cfg.URL)
	if err != nil || endpoint.Host == "" {
		return nil, errors.New("the URL of the audit webhook is invalid") // err contains the URL
	}
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{TLSHandshakeTimeout: requestTimeout, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute}
	}
	return &Webhook{
		cfg: cfg, host: endpoint.Host, queue: make(chan []byte, maxQueuedEvents),
		client: &http.Client{
			Transport: cfg.Transport, Timeout: requestTimeout,
			// A redirect could lead the events to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// enqueue adds a line, or drops it if the queue is full.
func (w *Webhook) enqueue(line []byte) {
	select {
	case w.queue <- line:
	default:
		w.drop(1, errors.New("the queue is full"))
	}
}

// run sends the queued lines until ctx ends, and then for closeTimeout at most. The end of ctx
// interrupts no request: the receiver would have its lines twice.
func (w *Webhook) run(ctx context.Context) {
	defer w.client.CloseIdleConnections()
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(closeTimeout, cancel) })()
	for {
		select {
		case <-ctx.Done():
			w.drain(sending)
			return
		case line := <-w.queue:
			w.send(sending, w.batch(line))
		}
	}
}

// drain sends what is queued.
func (w *Webhook) drain(ctx context.Context) {
	for {
		select {
		case line := <-w.queue:
			w.send(ctx, w.batch(line))
		default:
			return
		}
	}
}

// batch returns the line and those that are queued after it.
func (w *Webhook) batch(line []byte) [][]byte {
	lines := [][]byte{line}
	for len(lines) < maxBatchEvents {
		select {
		case next := <-w.queue:
			lines = append(lines, next)
		default:
			return lines
		}
	}
	return lines
}

// send sends the lines in one request. It retries with backoff, and drops the lines after
// retryTimeout, after an error that a retry does not change, and when ctx ends.
func (w *Webhook) send(ctx context.Context, lines [][]byte) {
	body := bytes.Join(lines, nil)
	post := func() (struct{}, error) { return struct{}{}, w.post(ctx, body) }
	_, err := backoff.Retry(ctx, post, backoff.WithMaxElapsedTime(retryTimeout))
	if err != nil {
		w.drop(int64(len(lines)), err)
		return
	}
	w.sent.Add(int64(len(lines)))
	if w.isFailing.Swap(false) {
		w.cfg.Logger.Info("the audit webhook accepts events", "host", w.host, "dropped_in_total", w.dropped.Load())
	}
}

// post sends one request. A *backoff.PermanentError is not to be retried.
func (w *Webhook) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(errors.New("the URL is invalid"))
	}
	request.Header.Set("Content-Type", ndjsonMediaType)
	response, err := w.client.Do(request)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err // without the URL
		}
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10) // so that the connection can be reused
	switch status := response.StatusCode; {
	case status >= 200 && status < 300:
		return nil
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return fmt.Errorf("the response is %s", response.Status)
	default:
		return backoff.Permanent(fmt.Errorf("the response is %s", response.Status))
	}
}

// drop counts lines that are not sent, and logs the first of a series.
func (w *Webhook) drop(count int64, err error) {
	w.dropped.Add(count)
	if !w.isFailing.Swap(true) {
		w.cfg.Logger.Error("the audit webhook drops events; the metric rtmanager_audit_webhook_dropped_total counts them", "host", w.host, "error", err)
	}
}
